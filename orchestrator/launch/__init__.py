"""From a sweep file to trained packs: compose, plan, freeze, launch."""
