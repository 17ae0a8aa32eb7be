"""Columns of the table that tells kernels of the groups of a population.

One table instead of an array for each: every array that a kernel is handed costs time
to compile and to call.
"""

SHARE = 0
"""Share of students in this group or one before."""
MODEL = 1
PRIOR = 2
"""Logit of the prior."""
ABILITY_SD, ON_LEARN, ON_ANSWERS, LEARN_SHIFT, FORGETTING, HANDICAP = range(3, 9)
LOWERED_MEAN, LOWERED_SD = 9, 10
FIRST_ROW, END_ROW = 11, 12
"""Where the group's rates begin in the table of rates, and where they end."""
JITTER = 13
"""Three deviations: of learn, guess and slip."""
CLIPS = 16
"""Lower and upper bound of each of these."""
TRAIT = 22
"""Mean and deviation of each of three traits."""
WIDTH = 28
