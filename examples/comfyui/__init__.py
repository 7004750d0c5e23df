# SPDX-License-Identifier: Apache-2.0
"""labelkit's nodes for ComfyUI: put this folder into custom_nodes, with aigc-labelkit installed."""

from labelkit.integrations import comfyui

try:
    import comfy_api.latest  # noqa: F401
except ImportError:  # before V3
    NODE_CLASS_MAPPINGS = comfyui.NODE_CLASS_MAPPINGS
    NODE_DISPLAY_NAME_MAPPINGS = comfyui.NODE_DISPLAY_NAME_MAPPINGS
else:
    comfy_entrypoint = comfyui.comfy_entrypoint
