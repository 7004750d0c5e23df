# SPDX-License-Identifier: Apache-2.0
"""Checks the credentials: the producer must be one that a label can hold."""

from typing import Any

from dify_plugin import ToolProvider
from dify_plugin.errors.tool import ToolProviderCredentialValidationError

import labelkit as lk


class LabelkitProvider(ToolProvider):
    def _validate_credentials(self, credentials: dict[str, Any]) -> None:
        try:
            lk.Label(lk.Kind.GENERATED, credentials.get("producer") or "", "0")
        except lk.LabelkitError as error:
            raise ToolProviderCredentialValidationError(error.text("zh-CN")) from error
