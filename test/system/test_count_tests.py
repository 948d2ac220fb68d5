"""script/count-tests: what its last line counts, and that what was skipped is named above it.

Seen to fail, each with that line of it as it was before: a program that crashed after it had skipped a case counted as
good; skips were not named."""
import json
import subprocess

import pytest

from programs import need
from server import REPOSITORY

REPORT = """<testsuites><testsuite errors="{errors}" failures="0" skipped="1" tests="3">
<testcase classname="test_package" name="test_a"><skipped message="no namespaces&#10;here"/></testcase>
<testcase classname="test_package" name="test_b"/><testcase classname="test_package" name="test_c"/>
</testsuite></testsuites>"""
GOOD = {"name": "config", "result": "OK", "stdout": "[       OK ] test_one\n[  SKIPPED ] test_two\n[  SKIPPED ] 1 test(s)\n"}
CRASHED = {**GOOD, "result": "FAIL"}
WHOLE = {"name": "model", "result": "SKIP", "stderr": "nothing to see"}


@pytest.mark.parametrize("programs, errors, last, status", [
    ([GOOD], 0, "3 passed, 0 failed", 0), ([CRASHED], 0, "3 passed, 1 failed", 1), ([GOOD], 1, "2 passed, 1 failed", 1),
    ([WHOLE], 0, "2 passed, 0 failed", 0)])
def test_counts_and_names(tmp_path, programs, errors, last, status):
    (tmp_path / "log.json").write_text("\n".join(map(json.dumps, programs)))
    (tmp_path / "report.xml").write_text(REPORT.format(errors=errors))
    done = subprocess.run([REPOSITORY / "script/count-tests", tmp_path / "log.json", tmp_path / "report.xml"],
                          capture_output=True, text=True, check=False)
    skipped = "model: nothing to see" if programs == [WHOLE] else "config: test_two"
    assert done.stdout.splitlines() == [
        f"SKIPPED {skipped}", "SKIPPED test_package: test_a: no namespaces here", last]
    assert done.returncode == status


def test_a_missing_report_is_a_failure(tmp_path):
    done = subprocess.run([REPOSITORY / "script/count-tests", tmp_path / "none", tmp_path / "none"], capture_output=True,
                          text=True, check=False)
    assert done.stdout.splitlines() == ["0 passed, 2 failed"] and done.returncode == 1


def test_a_missing_program_fails_its_test():
    """Seen to fail with a skip in its place."""
    with pytest.raises(BaseException, match="script/install-packages test installs it") as raised:
        need("a program that nobody has")
    assert raised.type is pytest.fail.Exception
