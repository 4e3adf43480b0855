"""Reading resources: a folder of YAML becomes values of the core, and problems.

Read in this order: `documents` (text to values that know their lines), `fields` (values to checked
fields), one module for each kind, `reading` (which kind a document is), `links` (what must hold
between resources), `adoption` (what is in force), then where resources come from: `folder` (files)
or `objects` (an API server). The one rule: a field that is
not understood is a problem, never ignored, and a bad resource never replaces a good one.
"""
