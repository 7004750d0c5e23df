# SPDX-License-Identifier: Apache-2.0
"""Beside a LiteLLM proxy's config.yaml: `litellm_settings: {callbacks: litellm_labels.label_text}`."""

from __future__ import annotations

import labelkit as lk
from labelkit.integrations.litellm import LabelText

label_text = LabelText(lk.Explicit(text="本内容由人工智能生成", place="start"))
