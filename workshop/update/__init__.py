"""Update a checkout: bring in the course's new files, keep the learner's.

`plan` decides what happens to each file without touching any. `checkout` and `source`
read the state of the repository through git. `update` prepares everything beside the
checkout, and `apply` carries it out so that it can be interrupted at any point.
"""
