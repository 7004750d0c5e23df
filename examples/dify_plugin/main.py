# SPDX-License-Identifier: Apache-2.0
"""Starts the plugin, as Dify's runner expects."""

from dify_plugin import DifyPluginEnv, Plugin

plugin = Plugin(DifyPluginEnv(MAX_REQUEST_TIMEOUT=240))

if __name__ == "__main__":
    plugin.run()
