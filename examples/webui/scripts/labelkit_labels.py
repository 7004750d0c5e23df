# SPDX-License-Identifier: Apache-2.0
"""AUTOMATIC1111, Forge and SD.Next: put examples/webui into extensions/labelkit, with aigc-labelkit installed.

Settings, "AI labels": the producer. LABELKIT_SIGNER and LABELKIT_KEY name the signer and the key of the server.
"""

import os

from modules import script_callbacks, scripts, shared

from labelkit.integrations.webui import Labels

try:
    from modules import scripts_manager  # of SD.Next alone
except ImportError:
    scripts_manager = None

labels = Labels(lambda: shared.opts.data.get("labelkit_producer") or os.environ.get("LABELKIT_PRODUCER", ""),
                os.environ.get("LABELKIT_SIGNER"), os.environ.get("LABELKIT_KEY"))


def add_settings():
    shared.opts.add_option("labelkit_producer", shared.OptionInfo(
        "", "Name or code of your service", section=("labelkit", "AI labels")))


class LabelScript(scripts.Script):
    """Always on, in the last hook that may change a picture."""

    def title(self):
        return "AI labels"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    if scripts_manager:  # grades, composes and scales after its hook for pictures
        def postprocess(self, p, processed, *args):
            labels.finished(processed)
    elif hasattr(scripts.Script, "postprocess_image_after_composite"):
        def postprocess_image_after_composite(self, p, pp, *args):
            labels.made(pp)
    else:
        def postprocess_image(self, p, pp, *args):
            labels.made(pp)


script_callbacks.on_ui_settings(add_settings)
if scripts_manager:
    script_callbacks.on_before_image_saved(labels.before_saved)
script_callbacks.on_image_saved(labels.saved)
