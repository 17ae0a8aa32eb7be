"""Evidence: which bonus helps where; runs with many seeds, statistics and a report.

| module | what |
|---|---|
| `plan` | a run, a question |
| `questions`, `variants` | what is asked, and the runs that answer it |
| `protocols` | how one run is played, and what is measured |
| `manifest` | plays what is not in the files yet, and keeps it |
| `record` | a row of the files |
| `statistics` | interquartile means, intervals, profiles, curves |
| `report`, `pictures` | what the files say, as markdown and PNG |
"""
