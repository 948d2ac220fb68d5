"""What the README says of the settings is what the program says."""
import re

from server import REPOSITORY, run


def test_the_readme_lists_every_setting():
    """With the same default. Seen to fail when settings were added to the program only."""
    readme = (REPOSITORY / "README.md").read_text()
    told = {name: default.replace("`", "") for name, default in
            re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", readme, re.MULTILINE)}
    known = dict(re.findall(r"^  ([A-Z_]+)  \(default: (.*)\)$", run("serve", "--help").stdout, re.MULTILINE))
    assert "DATABASE_URL" in known
    assert told == known
