"""The site: quoted code, pictures, notebooks as pages, agendas.

Pages are plain Markdown that also reads well on a code host. Generated parts are either
written into them by `python -m workshop pages` and compared in CI, or added by the
Markdown extension when the site is built.
"""
