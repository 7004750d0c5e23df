# SPDX-License-Identifier: Apache-2.0
"""The tool: text and files in, labelled text and files out."""

from dify_plugin import Tool

from labelkit.integrations.dify import Labelling


class LabelTool(Labelling, Tool):
    pass
