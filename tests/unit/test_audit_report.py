"""An audit that could not ask is never taken for one that found nothing."""

import json

import pytest

from scripts.audit_report import verdict

CLEAN = {"dependencies": [{"name": "anyio", "version": "4.9.0", "vulns": []}], "fixes": []}
FOUND = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}]}
SKIPPED = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (CLEAN, "clean"),
        (FOUND, "vulnerable"),
        (SKIPPED, "unknown"),
        ({"dependencies": []}, "unknown"),
        ({"metadata": {"vulnerabilities": {"high": 0, "total": 0}}}, "clean"),
        ({"metadata": {"vulnerabilities": {"high": 1, "total": 1}}}, "vulnerable"),
        ({"error": {"code": "ENOAUDIT"}}, "unknown"),
        ({"message": "request failed", "error": {"code": "ECONNREFUSED"}}, "unknown"),
        ({}, "unknown"),
        ([], "unknown"),
    ],
)
def test_only_a_whole_report_says_something(report: object, told: str) -> None:
    assert verdict(json.dumps(report)) == told


@pytest.mark.parametrize("text", ["", "not json", '{"dependencies": [{"na'])
def test_what_is_no_report_says_nothing(text: str) -> None:
    assert verdict(text) == "unknown"
