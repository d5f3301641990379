"""Update a checkout: the course's new files come, the learner's files stay.

`plan` decides what becomes of each file and touches none. `checkout` and `source`
ask git what there is. `update` prepares everything beside the checkout, and `apply`
carries it out so that it can be interrupted anywhere.
"""
