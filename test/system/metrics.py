"""Reading /metrics: a strict parser of Prometheus' text format, version 0.0.4, for what Tocsin may use of it.

Stricter than the format: HELP and TYPE before the samples of each family, families not torn apart, no
sample twice, histograms whole, counters named _total."""
import collections
import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|\+Inf|-Inf|NaN")
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


class Family:
    def __init__(self, name, kind):
        self.name, self.kind = name, kind
        self.samples = {}  # (sample name, ((label, value), ...)) to number


def _labels(text):
    found, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"bad labels: {text}"
        found.append((match[1], match[2]))
        at = match.end()
    assert not text.endswith(",") and len({name for name, _ in found}) == len(found), text
    return tuple(found)


def _owner(families, name):
    if name in families:
        return families[name]
    for part in HISTOGRAM_PARTS:
        base = name.removesuffix(part)
        if name.endswith(part) and base in families and families[base].kind == "histogram":
            return families[base]
    raise AssertionError(f"sample {name} before its TYPE")


def _check_histogram(family):
    series = collections.defaultdict(list)
    for (name, labels), value in family.samples.items():
        assert name != family.name, f"bare sample in histogram {name}"
        if name.endswith("_bucket"):
            bound = dict(labels)["le"]
            series[tuple(label for label in labels if label[0] != "le")].append(
                (math.inf if bound == "+Inf" else float(bound), value))
    for labels, buckets in series.items():
        assert buckets == sorted(buckets) and buckets[-1][0] == math.inf, f"{family.name}{labels}: {buckets}"
        counts = [count for _, count in buckets]
        assert counts == sorted(counts), f"{family.name}{labels} is not cumulative"
        assert family.samples[family.name + "_count", labels] == counts[-1]
        assert family.samples[family.name + "_sum", labels] >= 0


def parse(text):
    """{family name: Family}; fails on anything that is not right."""
    families, helped, current = {}, set(), None
    assert text.endswith("\n"), "the last line must end"
    for line in text[:-1].split("\n"):
        assert line and line == line.strip(), f"bad line: {line!r}"
        if line.startswith("# HELP "):
            name, _, words = line.removeprefix("# HELP ").partition(" ")
            assert re.fullmatch(NAME, name) and words and name not in helped, line
            helped.add(name)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert kind in ("counter", "gauge", "histogram") and name in helped and name not in families, line
            assert (kind == "counter") == name.endswith("_total"), line
            current = families[name] = Family(name, kind)
        else:
            match = SAMPLE.fullmatch(line)
            assert match and NUMBER.fullmatch(match[3]), f"bad sample: {line!r}"
            family, key = _owner(families, match[1]), (match[1], _labels(match[2] or ""))
            assert family is current, f"{match[1]} stands in {current.name}"
            assert key not in family.samples, f"twice: {line}"
            family.samples[key] = float(match[3].replace("Inf", "inf"))
    for family in families.values():
        if family.kind == "histogram":
            _check_histogram(family)
        assert all(value >= 0 for value in family.samples.values()), f"{family.name} is below zero"
    assert helped == set(families), "HELP without TYPE"
    return families


def read(node):
    reply = node.anonymous.get("/metrics")
    assert reply.status == 200 and reply.headers["content-type"].startswith("text/plain; version=0.0.4"), reply
    return parse(reply.body.decode())


def value(node, name, **labels):
    """The sum of the samples of a family that have these labels."""
    return sum(number for (_, own), number in read(node)[name].samples.items() if labels.items() <= dict(own).items())
