"""Trees for the eye: everything on them, nothing over anything else, and the path marked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from matplotlib.figure import Figure

from ludens.envs import (
    FAMILIES,
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameError,
    GameTree,
    PayoffNode,
    draw,
    make_env,
)
from ludens.envs.tree.drawing import figure, graphviz, picture, text
from ludens.testing import games


def weather():
    """Chance, a hidden move, and names that trouble other programs."""

    def guess(label):
        return DecisionNode(
            label, "matcher", {"heads": PayoffNode((0, 1.5)), "tails": PayoffNode((1, -20))}, "guess"
        )

    hide = DecisionNode("hide", "hider", {"heads": guess("g1"), "tails": guess("g2")})
    home = DecisionNode(
        "home?", "hider", {'say "no"': PayoffNode((0, 0)), "$x$ \\ & <b>": PayoffNode((1, 2))}
    )
    return GameTree(
        "weather", ("hider", "matcher"), ChanceNode("sky", {"sun": (1 / 3, hide), "rain": (2 / 3, home)})
    )


def steps(game, *names):
    """The path with these options, as steps."""
    return next(leaf.path for leaf in game.leaves if tuple(s.option for s in leaf.path) == names)


def test_text_of_the_trust_game():
    game = PROTOCOLS["TG3"]
    assert text(game, steps(game, "trust", "defect")) == "\n".join(
        [
            "Mini trust game TG3: T=80, R=60, P=30, S=20",
            "",
            "opening (investor)",
            "├─▶ trust → reply to trust (trustee)",
            "│   ├── reciprocate: investor 60, trustee 60",
            "│   └─▶ defect: investor 20, trustee 80  ◀",
            "└── keep: investor 30, trustee 30",
        ]
    )


def test_text_shows_chance_hidden_moves_and_where_one_is():
    shown = text(weather(), here="guess")
    assert "├── sun (0.333) → hide (hider)" in shown
    assert "g1 (matcher, not told apart within 'guess')  ◀ you are here" in shown
    assert shown.count("you are here") == 2


def test_text_is_plain_unless_asked_for_bold():
    game = PROTOCOLS["TG3"]
    path = steps(game, "keep")
    assert "\x1b" not in text(game, path)
    assert "\x1b[1m└─▶ keep" in text(game, path, bold=True)


def test_what_is_known_of_a_path_is_marked_and_what_is_hidden_is_not():
    game = weather()
    shown = text(game, game.information_set("guess").known)
    assert "├─▶ sun" in shown
    assert shown.count("▶") == 1


@given(games())
@settings(max_examples=30)
def test_text_and_graphviz_name_every_leaf_of_every_game(game):
    for leaf in game.leaves:
        shown = text(game, leaf.path)
        assert shown.count("─▶") == len(leaf.path)
        assert shown.count("  ◀") == (1 if leaf.path else 0)
    source = graphviz(game)
    assert source.count("shape=plaintext") == len(game.leaves)
    assert source.count("{") == source.count("}") == 1


def test_graphviz_escapes_names_and_joins_information_sets():
    source = graphviz(weather(), steps(weather(), "sun", "heads", "tails"))
    assert r'label="say \"no\""' in source
    assert r'label="$x$ \\ & <b>"' in source
    assert source.count("style=dashed") == 1
    assert source.count("penwidth=3") == 3


@pytest.mark.parametrize(
    "game", [*(PROTOCOLS[name] for name in ("SPD1", "TG1", "UG1")), weather()], ids=lambda g: g.name
)
def test_nothing_in_a_figure_overlaps_or_is_cut_off(game):
    for leaf in game.leaves:
        drawn = figure(
            game, leaf.path, "Round 12 of 100, " + ", ".join(f"{role}: player_0" for role in game.roles)
        )
        canvas = drawn.canvas
        canvas.draw()
        boxes = [
            words.get_window_extent(canvas.get_renderer())
            for words in drawn.axes[0].texts
            if words.get_text()
        ]
        width, height = canvas.get_width_height()
        for box in boxes:
            assert 0 <= box.x0 < box.x1 <= width
            assert 0 <= box.y0 < box.y1 <= height
        for one, other in itertools.combinations(boxes, 2):
            assert not (one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1)


@given(games(max_depth=2))
@settings(max_examples=5)
def test_every_game_has_a_picture_whose_shape_does_not_depend_on_the_path(game):
    plain, taken = picture(game), picture(game, game.leaves[0].path, "caption")
    assert plain.dtype == np.uint8
    assert plain.shape == taken.shape
    assert plain.shape[2] == 3
    assert (plain != taken).any()


def test_draw_takes_names_and_refuses_paths_that_do_not_exist():
    assert isinstance(draw(PROTOCOLS["UG1"], ["unequal", "accept"]), Figure)
    assert isinstance(draw(PROTOCOLS["UG1"]), Figure)
    with pytest.raises(GameError, match="has no 'trust' after the root; it has equal, unequal"):
        draw(PROTOCOLS["UG1"], ["trust"])
    with pytest.raises(GameError, match="has no 'accept' after equal; it has nothing, the game ends there"):
        draw(PROTOCOLS["UG1"], ["equal", "accept"])


def test_drawing_leaves_pyplot_alone():
    import matplotlib._pylab_helpers as helpers

    before = dict(helpers.Gcf.figs)
    draw(PROTOCOLS["TG1"])
    picture(PROTOCOLS["TG1"])
    assert dict(helpers.Gcf.figs) == before


@pytest.mark.parametrize("family", FAMILIES)
def test_rendering_shows_who_sits_where_and_the_path(family, capsys):
    env = make_env(family, roles="fixed", rounds=2, render_mode="ansi")
    assert "▶" not in env.render()
    env.reset(seed=0)
    roles = env.game.roles
    assert f"Round 1 of 2, {roles[0]}: player_0, {roles[1]}: player_1" in env.render()
    while env.turn().round == 0:
        env.step(0)
    # The round that just ended is shown until the next one's first move.
    assert "Round 1 of 2" in env.render()
    assert "◀" in env.render()
    env.step(0)
    assert "Round 2 of 2" in env.render()
    human = make_env(family, render_mode="human")
    human.reset(seed=0)
    assert human.render() is None
    assert text(human.game).splitlines()[0] in capsys.readouterr().out


def test_the_strategy_method_draws_no_roles_before_the_answers():
    env = make_env("trust", method="strategy", render_mode="ansi")
    env.reset(seed=0)
    assert "roles are drawn once all have answered" in env.render()
