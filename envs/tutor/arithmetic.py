"""The arithmetic curriculum: sixty skills, from counting to fractions.

The graph is ours: the order in which primary schools commonly teach, each skill with
those it directly builds on. `exercises` has a generator for every skill.
"""

from __future__ import annotations

PREREQUISITES: dict[str, tuple[str, ...]] = {
    # numbers up to twenty
    "count-objects": (),
    "count-on": ("count-objects",),
    "count-back": ("count-on",),
    "compare-to-10": ("count-on",),
    "add-to-10": ("count-on",),
    "subtract-to-10": ("count-back", "add-to-10"),
    "bonds-of-10": ("add-to-10",),
    "number-line": ("add-to-10", "count-back"),
    # tens and ones
    "count-in-steps": ("count-on",),
    "place-value-tens": ("count-in-steps",),
    "compare-to-100": ("compare-to-10", "place-value-tens"),
    "add-to-20": ("add-to-10", "place-value-tens"),
    "subtract-to-20": ("subtract-to-10", "place-value-tens"),
    "add-across-10": ("bonds-of-10", "add-to-20"),
    "subtract-across-10": ("subtract-to-20", "bonds-of-10"),
    "double": ("add-across-10",),
    "missing-number": ("add-across-10", "subtract-across-10"),
    "story-add": ("add-across-10",),
    "story-subtract": ("subtract-across-10",),
    "story-compare": ("story-subtract", "compare-to-10"),
    # two and three digits
    "add-tens": ("add-to-10", "place-value-tens"),
    "add-2-digits": ("add-tens", "add-to-20"),
    "add-2-digits-carrying": ("add-2-digits", "add-across-10"),
    "subtract-2-digits": ("subtract-to-20", "add-tens"),
    "subtract-2-digits-borrowing": ("subtract-2-digits", "subtract-across-10"),
    "story-two-steps": ("story-add", "story-subtract"),
    "place-value-hundreds": ("place-value-tens",),
    "add-3-digits-carrying": ("add-2-digits-carrying", "place-value-hundreds"),
    # multiplication and division
    "equal-groups": ("double",),
    "times-2-5-10": ("equal-groups",),
    "share-equally": ("times-2-5-10",),
    "times-3-4": ("times-2-5-10",),
    "times-6-to-9": ("times-3-4",),
    "story-multiply": ("times-3-4", "story-add"),
    "divide-tables": ("times-6-to-9", "share-equally"),
    "story-divide": ("divide-tables", "story-multiply"),
    "divide-remainder": ("divide-tables", "subtract-2-digits-borrowing"),
    "story-remainder": ("divide-remainder", "story-divide"),
    "order-of-operations": ("times-6-to-9", "add-2-digits-carrying"),
    "multiply-tens": ("times-6-to-9", "place-value-hundreds"),
    "multiply-2-by-1": ("multiply-tens", "add-3-digits-carrying"),
    "multiply-2-by-2": ("multiply-2-by-1",),
    "divide-2-by-1": ("divide-remainder", "multiply-tens"),
    "factors": ("divide-tables",),
    "common-factor": ("factors",),
    "common-multiple": ("times-6-to-9",),
    # fractions
    "fraction-parts": ("share-equally",),
    "fraction-compare-like": ("fraction-parts", "compare-to-10"),
    "fraction-add-like": ("fraction-parts",),
    "fraction-subtract-like": ("fraction-add-like", "subtract-across-10"),
    "fraction-of-number": ("fraction-parts", "divide-tables"),
    "story-fraction": (
        "fraction-of-number",
        "story-divide",
        "subtract-2-digits-borrowing",
    ),
    "fraction-equivalent": ("fraction-parts", "times-6-to-9"),
    "fraction-simplify": ("fraction-equivalent", "common-factor"),
    "fraction-compare-unlike": (
        "fraction-compare-like",
        "fraction-equivalent",
        "common-multiple",
    ),
    "improper-to-mixed": ("fraction-parts", "divide-remainder"),
    "mixed-to-improper": ("fraction-parts", "order-of-operations"),
    "fraction-multiply": ("fraction-of-number", "fraction-simplify"),
    "fraction-add-unlike": (
        "fraction-add-like",
        "fraction-simplify",
        "common-multiple",
    ),
    "add-mixed": ("fraction-add-unlike", "improper-to-mixed"),
}
