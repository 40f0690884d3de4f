"""What guests use: `toolkit.analyse` and all that it leads to. One idea per module.

`verbs` has the calls, `result` the analysis and its persons, `listings` what can be ranked and put
into a table, `session` the questions to one verdict, `answers` what they return, `cards` the HTML
that a notebook shows.
"""
