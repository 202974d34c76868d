"""Fixtures of the SDK's tests."""

import pytest

from tests.unit.client.scripted import Pauses


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()
