"""Links to files, as clients of the older contracts show them."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from .conftest import NewPerson

pytestmark = pytest.mark.e2e

UPLOAD = """async () => {
  const { token } = (await import("/page/state.js")).state;
  const headers = { Authorization: `Bearer ${token}` };
  const file = await fetch("/v1/files?name=plan.txt", { method: "POST", headers, body: "the plan" });
  return (await file.json()).id;
}"""


def test_a_link_to_a_file_gets_it_for_whoever_is_signed_in(new_person: NewPerson) -> None:
    ann = new_person("ann")
    id = ann.page.evaluate(UPLOAD)
    with ann.page.expect_download() as started:
        ann.page.evaluate(f"location.hash = {json.dumps('#file=' + id)}")
    assert started.value.suggested_filename == "plan.txt"
    assert started.value.path().read_text(encoding="utf-8") == "the plan"
    assert ann.page.evaluate("location.hash") == ""
    bob = new_person("bob")
    bob.page.evaluate(f"location.hash = {json.dumps('#file=' + id)}")
    expect(bob.page.get_by_text("No such file.")).to_be_visible()
    bob.console_errors.clear()  # the browser tells of the 404
