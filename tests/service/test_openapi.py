# SPDX-License-Identifier: Apache-2.0
"""The description of the service is OpenAPI 3.1, and the service does what it says, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CHECKS, load_all_checks

import labelkit as lk
from labelkit.service.jobs import VERBS
from labelkit.service.parameters import OF_ROUTES
from tests.media import LABEL, photo, saved

EXAMPLES = 6  # for each operation; benchmarks/service.py asks for more
_LEFT_OUT = ("ignored_auth", "use_after_free", "ensure_resource_availability",  # want keys or resources of their own
             "positive_data_acceptance")  # no schema says which bytes are a file that can be labelled

load_all_checks()
schemathesis.openapi.media_type("application/octet-stream", strategies.sampled_from([
    saved(photo(64, 64), "PNG"), lk.embed(saved(photo(96, 128), "PNG"), label=LABEL, plan=lk.Plan(watermark=None)),
    "它下雨。".encode(), b"{}", b"\xff\xd8\xff", bytes(64)]))


def test_the_description_is_valid_and_complete(served):
    found = served.client.get("/openapi.json").json()
    OpenAPIV31SpecValidator(found).validate()
    for verb, parameters in OF_ROUTES.items():
        operation = found["paths"][f"/v1/{verb}"]["post"]
        assert {one["name"] for one in operation["parameters"]} == {"name", "url", *(one.name for one in parameters),
                                                                   *(["Prefer"] if verb in VERBS else [])}
    del found["info"]
    assert list(OpenAPIV31SpecValidator(found).iter_errors())


READ = ["/v1/jobs/{job}", "/v1/jobs/{job}/result", "/metrics", "/readyz", "/openapi.json", "/v1/matches/byBinding",
        "/v1/manifests/{activeManifestId}",
        "/v1/services/capabilities", "/.well-known/c2pa-soft-binding-resolution"]


@pytest.mark.parametrize("path", [*(f"/v1/{verb}" for verb in OF_ROUTES), "/v1/matches/byReference", *READ])
def test_answers_are_as_described(path, served):
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    operation = schema[path]["GET" if path in READ else "POST"]
    left_out = [CHECKS.get_one(name) for name in _LEFT_OUT]
    seen = set()

    @given(case=operation.as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
              suppress_health_check=list(HealthCheck), database=None)
    def holds(case):
        response = case.call(headers=served.keys["all"])
        seen.add(response.status_code)
        case.validate_response(response, excluded_checks=left_out)
    holds()
    assert seen and max(seen) < 500
