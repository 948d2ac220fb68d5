"""Users who log in, as a browser does it."""
import uuid

from api import Api

SESSION = "/api/v1/session"
USERS = "/api/v1/users"
PASSWORD = "correct horse battery staple"
HEARD_S = 20  # until another node has heard of it; by itself it forgets a session after 30 s


def cookie_of(reply):
    """(name=value, {attribute in lower case: value}) of the cookie that a reply sets."""
    pair, *rest = reply.headers["set-cookie"].split("; ")
    return pair, {name.lower(): value for name, _, value in (part.partition("=") for part in rest)}


class Session(Api):
    """A client with a cookie. Sends the token with what changes something, as a page of ours does."""

    def __init__(self, url, reply):
        super().__init__(url, None)
        self.cookie, self.token = cookie_of(reply)[0], reply.json["csrfToken"]

    def at(self, url):
        """The same session at another node."""
        other = Session.__new__(Session)
        Api.__init__(other, url, None)
        other.cookie, other.token = self.cookie, self.token
        return other

    def call(self, method, path, body=None, headers=None):
        sent = {"Cookie": f"theme=dark; {self.cookie}; last=1"}
        if method != "GET":
            sent["X-Tocsin-CSRF"] = self.token
        return super().call(method, path, body, {**sent, **(headers or {})})


def try_login(url, name, password=PASSWORD, client=None, **headers):
    """The reply of a log-in; `client` is the address a trusted proxy tells."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if client:
        sent["X-Forwarded-For"] = client
    return Api(url, None).call("POST", SESSION, {"name": name, "password": password}, sent)


def log_in(url, name, password=PASSWORD, **options):
    reply = try_login(url, name, password, **options)
    assert reply.status == 201, reply
    return Session(url, reply)


def make_user(api, role, password=PASSWORD, name=None):
    """The user as createUser answers it, with a name of its own."""
    reply = api.post(USERS, {"name": name or f"{role} {uuid.uuid4()}", "role": role, "password": password})
    assert reply.status == 201, reply
    return reply.json
