"""Whatever a client makes of the OpenAPI page, the service keeps to it: schemathesis over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.config import SchemathesisConfig

from tests.live import Live, live
from tests.serving import untrained_checkpoint, variant

_HEALTH = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
)
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
_ANSWERED = ["2xx", "304", "401", "403", "404", "409", "412", "413", "415", "422", "429"]
"""To a body that fits its schema: no schema can say that bytes are an image, that of two bounds the lower comes first, or that
ids differ from each other. But it is never called unparseable."""
_REFUSED = ["400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429"]
_CONFIG = {
    "checks": {
        "positive_data_acceptance": {"expected-statuses": _ANSWERED},
        "negative_data_rejection": {"expected-statuses": _REFUSED},
    }
}


@schemathesis.serializer("application/x-ndjson")
def lines(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """A stream of lines is sent as it was made."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    url = untrained_checkpoint(tmp_path_factory.mktemp("models") / "model", variant("cnn", "gru", "concat"))
    with live(url) as own:
        yield own


@pytest.fixture(scope="module")
def api(listening: Live) -> Any:
    config = SchemathesisConfig.from_dict(_CONFIG)
    return schemathesis.openapi.from_url(f"{listening.address}/openapi.json", config=config)


def assert_kept(api: Any, num_examples: int, **told: Any) -> None:
    """Call every route with requests that fit its page, and with as many that do not."""
    for found in api.get_all_operations():
        operation = found.ok()
        checked = operation.body or operation.query or operation.path_parameters
        streamed = operation.path.endswith("/import")  # any bytes are lines, wrong ones are told by number
        modes = MODES if checked and not streamed else MODES[:1]
        for mode in modes:

            @given(operation.as_strategy(generation_mode=mode))
            @settings(max_examples=num_examples // len(modes), suppress_health_check=_HEALTH, database=None, **told)
            def keeps_to_its_page(case: schemathesis.Case) -> None:
                case.call_and_validate()

            begun = time.monotonic()
            keeps_to_its_page()
            print(f"{operation.label}, {mode.value}: {time.monotonic() - begun:.1f} s")


def test_every_route_keeps_to_its_page(api: Any) -> None:
    assert_kept(api, 24, derandomize=True)


@pytest.mark.long
def test_every_route_keeps_to_its_page_in_two_thousand_examples(api: Any) -> None:
    assert_kept(api, 2_000)
