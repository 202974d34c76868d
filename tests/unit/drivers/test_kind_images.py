"""What containerd and crictl say of images."""

import json

import pytest

from server.drivers.base import DriverError, NodeImage
from server.drivers.kind_images import images_of, names_in, together

SAID = """\
unpacking docker.io/library/nginx:1 (sha256:c64b9f4b3ece3afe)...done
unpacking import-2026-11-28@sha256:a6f1c687 (sha256:a6f1c68741f4ced)...done
"""


def test_the_names_are_those_that_somebody_gave() -> None:
    assert names_in(SAID) == ["docker.io/library/nginx:1"]
    assert names_in("ctr: archive/tar: invalid tar header\n") == []


def test_a_list_of_images_is_read() -> None:
    listed = {
        "images": [
            {"id": "sha256:1", "repoTags": ["a:1", "b:1"], "repoDigests": [], "size": "1500"},
            {"id": "sha256:2", "repoTags": [], "repoDigests": ["a@sha256:3"], "size": "7"},
        ]
    }
    assert images_of(json.dumps(listed).encode()) == [
        NodeImage("sha256:1", ("a:1", "b:1"), 1500),
        NodeImage("sha256:2", (), 7),
    ]


@pytest.mark.parametrize("said", [b"", b"crictl: no such thing", b"[]", b'{"images": [{}]}'])
def test_what_is_no_list_is_an_error(said: bytes) -> None:
    with pytest.raises(DriverError, match="does not tell"):
        images_of(said)


def test_those_of_several_nodes_are_counted() -> None:
    one, two = NodeImage("1", ("a",), 5), NodeImage("2", (), 6)
    named = NodeImage("2", ("b",), 6)
    assert together([[one, two], [named]]) == [
        NodeImage("1", ("a",), 5, 1),
        NodeImage("2", ("b",), 6, 2),
    ]
