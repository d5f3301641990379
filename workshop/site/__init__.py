"""The site: code quoted from source, pictures, notebooks shown, agendas.

Pages are plain Markdown that also reads well on a code host. What has to be
made is either written into them by `python -m workshop pages` and compared in
CI, or added by the Markdown extension when the site is built.
"""
