"""Where a remote engine is, and whether source code may be sent there."""

from __future__ import annotations

import pytest

from copilot_server.engine.backends.remote.endpoint import read_endpoints
from copilot_server.errors import ConfigError


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1/completions"]
)
def test_a_url_is_taken_as_one_copies_it(url: str) -> None:
    (endpoint,) = read_endpoints([url], allow_http=False)
    assert endpoint.api == "http://127.0.0.1:8000/v1"
    assert endpoint.root == "http://127.0.0.1:8000"
    assert endpoint.host == "127.0.0.1:8000"


def test_a_path_before_the_api_is_kept() -> None:
    (endpoint,) = read_endpoints(["https://example.com/team/v1"], allow_http=False)
    assert endpoint.api == "https://example.com/team/v1"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "[::1]", "llm.localhost"])
def test_source_may_go_unencrypted_to_this_machine(host: str) -> None:
    assert read_endpoints([f"http://{host}:80"], allow_http=False)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.7", "localhost.example.com", "127.0.0.1.nip.io", "[fe80::1]"]
)
def test_source_goes_nowhere_else_unencrypted_unless_that_is_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match=r"unencrypted.*remote\.allow_http"):
        read_endpoints([f"http://{host}"], allow_http=False)
    assert read_endpoints([f"http://{host}"], allow_http=True)
    assert read_endpoints([f"https://{host}"], allow_http=False)


def test_an_engine_named_twice_is_one() -> None:
    assert len(read_endpoints(["https://a.com", "https://a.com/v1", "https://b.com"], allow_http=False)) == 2
