"""How what is said below is laid under what is said above: of included files, of defaults, groups and machines.

Maps are merged, and everything else is replaced. Two marks change that: an empty value (``memory:``) takes away what is
below, and a list that is written ``files+:`` is added to the one below.
"""

from __future__ import annotations

from machine.fleet.tree import Map

ADD = "+"


def merged(lower: Map, upper: Map) -> Map:
    """Both, the upper one first asked. Neither is changed; parts that only one has are shared."""
    if not upper:
        return lower
    if not lower:
        return upper
    both = lower.copy()
    both.at = upper.at
    for key, value in upper.items():
        plain = key.removesuffix(ADD)
        if key != plain and plain in both:
            added = both.listed(plain).and_also(upper.listed(key))
            both.put(plain, added, key_at=upper.keys_at[key], value_at=upper.values_at[key])
        elif key != plain and key in both:
            added = both.listed(key).and_also(upper.listed(key))
            both.put(key, added, key_at=upper.keys_at[key], value_at=upper.values_at[key])
        elif isinstance(value, Map) and isinstance(below := both.get(key), Map):
            both.put(key, merged(below, value), key_at=upper.keys_at[key], value_at=upper.values_at[key])
        else:
            if key == plain:  # replaced, with what would have been added
                both.drop(key + ADD)
            both.take(upper, key)
    return both


def settled(section: Map) -> Map:
    """A mapping below which nothing more comes: nothing is left to be added to or to be taken away."""
    for key, value in section.items():
        if value is None or key[-1:] == ADD:
            break
    else:
        return section
    plain = Map(section.at)
    for key, value in section.items():
        if value is not None:
            plain.take(section, key, called=key.removesuffix(ADD))
    return plain
