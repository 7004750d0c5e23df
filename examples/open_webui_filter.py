"""
title: AI label
author: labelkit
version: 0.2.0
license: Apache-2.0
requirements: aigc-labelkit
description: Labels every answer of a model as AI-generated (GB 45438-2025, 5.1).
"""
# SPDX-License-Identifier: Apache-2.0
# Paste this into Admin Panel, Functions, and enable it globally.

from pydantic import BaseModel, Field

import labelkit as lk
from labelkit.integrations import open_webui


class Filter(open_webui.Filter):
    class Valves(BaseModel):
        text: str = Field("AI生成", description="the label; it must name AI and generation")
        place: str = Field("start", description="start, end or both")

    def __init__(self) -> None:
        super().__init__()
        self.valves = self.Valves()

    @property
    def explicit(self) -> lk.Explicit:
        return lk.Explicit(text=self.valves.text, place=self.valves.place)
