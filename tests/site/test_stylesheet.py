"""What a stylesheet loses is what no page can use."""

import pytest

from workshop.site.stylesheet import pruned

USED = '<p class="md-nav open">, add("md-tip--" + kind), "md-tip--"'


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".md-nav{color:red}", ".md-nav{color:red}"),
        (".keys{color:red}", ""),
        (".md-nav,.keys{a:b}.open{c:d}", ".md-nav{a:b}.open{c:d}"),
        (".md-nav .keys{a:b}", ""),
        (".md-nav:not(.keys){a:b}", ".md-nav:not(.keys){a:b}"),
        (":is(.keys,.open) p{a:b}", ":is(.keys,.open) p{a:b}"),
        (".md-tip--warm{a:b}", ".md-tip--warm{a:b}"),
        ("[dir=ltr] p>a:hover{a:b}", "[dir=ltr] p>a:hover{a:b}"),
        ("@media print{.keys{a:b}.open{c:d}}", "@media print{.open{c:d}}"),
        ("@media print{.keys{a:b}}p{c:d}", "p{c:d}"),
        ("@keyframes turn{to{a:b}}", "@keyframes turn{to{a:b}}"),
        ('@charset "UTF-8";.keys{a:b}p{c:d}', '@charset "UTF-8";p{c:d}'),
        ("p{content:'}'}.keys{a:b}", "p{content:'}'}"),
        (":root{--x:url('a{b');--c:1}", ":root{--c:1}"),
        (
            ":root{--x:url('a');}p{mask:var(--x)}",
            ":root{--x:url('a');}p{mask:var(--x)}",
        ),
        ("/* end */", "/* end */"),
    ],
)
def test_only_rules_for_what_is_nowhere_are_left_out(css: str, left: str) -> None:
    assert pruned(css, USED) == left


def test_half_a_stylesheet_is_refused() -> None:
    with pytest.raises(ValueError, match="inside a block"):
        pruned("p{color:red", USED)
