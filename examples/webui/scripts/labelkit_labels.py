# SPDX-License-Identifier: Apache-2.0
"""AUTOMATIC1111 and Forge: put examples/webui into extensions/labelkit, with aigc-labelkit installed.

Settings, "AI labels": the producer. LABELKIT_SIGNER and LABELKIT_KEY name the signer and the key of the server.
"""

import os

from modules import script_callbacks, scripts, shared

from labelkit.integrations.webui import Labels

labels = Labels(lambda: shared.opts.data.get("labelkit_producer") or os.environ.get("LABELKIT_PRODUCER", ""),
                os.environ.get("LABELKIT_SIGNER"), os.environ.get("LABELKIT_KEY"))


def add_settings():
    shared.opts.add_option("labelkit_producer", shared.OptionInfo(
        "", "Name or code of your service", section=("labelkit", "AI labels")))


class LabelScript(scripts.Script):
    """Always on; the last hook that may change a picture, with the older one where there is no later."""

    def title(self):
        return "AI labels"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def label(self, p, pp, *args):
        pp.image = labels.picture(pp.image)

    if hasattr(scripts.Script, "postprocess_image_after_composite"):
        postprocess_image_after_composite = label
    else:
        postprocess_image = label


script_callbacks.on_ui_settings(add_settings)
script_callbacks.on_image_saved(labels.saved)
