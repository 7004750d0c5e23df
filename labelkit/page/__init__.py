# SPDX-License-Identifier: Apache-2.0
"""HTML pages for people: the demo's comparison of files before and after, the report of one file, and the verify page.

`render` writes the pages and `figures` the comparisons in them, from what `image_preview`, `audio_preview` and
`video_preview` make of two files; `markup` holds what all of them write HTML with. `demo` makes a page of two folders.

`site` builds the page that verifies files in a browser: `shell` is its HTML, verify/ its scripts, `runtime` the
programs of others that it runs on. In the browser its worker calls `browser`, with what `decoded_media` and
`c2pa_results` make of the browser's decoders and of the C2PA library.
"""
