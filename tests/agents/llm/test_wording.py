"""What models are shown. The texts in ``golden/`` are read by people: ``python
tests/agents/llm/test_wording.py`` writes them anew after a change of wording."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.llm.prompts.games import framings, orders, render
from ludens.agents.llm.prompts.templates import WordingError, personas
from ludens.envs import (
    FAMILIES,
    PROTOCOLS,
    ChanceNode,
    DecisionNode,
    GameTree,
    PastRound,
    PayoffNode,
    Step,
    make_env,
)
from ludens.envs.tree.questions import questions

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = {"sequential_prisoners_dilemma": "SPD1", "trust": "TG1", "ultimatum": "UG1"}
LOADED = re.compile(
    r"cooperat|defect|trust|betray|fair|generous|selfish|recipro|accept|reject|equal|dilemma|game",
    re.IGNORECASE,
)


def transcript(framing, family):
    """All nodes in both orders, then the other ways of asking."""
    turns = questions(PROTOCOLS[EXAMPLES[family]])
    parts = [
        (f"{node}, order {k}", render(turn, framing, k)) for node, turn in turns.items() for k in orders(turn)
    ]
    turn = list(turns.values())[-1]
    game = turn.game
    past = PastRound(
        game.roles[0], game.leaves[0].path, dict(zip(game.roles, game.leaves[0].payoffs, strict=True))
    )
    later = replace(turn, method="direct", past=(past,), round=1, rounds=3)
    ways = {
        "second of three rounds, direct": render(later, framing),
        "a belief": render(turn, framing, belief=True),
        "a belief in JSON": render(turn, framing, belief=True, format="json"),
        "in JSON": render(turn, framing, format="json"),
        "reasoning": render(turn, framing, reasoning=True),
        "reasoning in JSON": render(turn, framing, reasoning=True, format="json"),
        "as homo economicus": render(turn, framing, persona="homo_economicus"),
        "as homo moralis": render(turn, framing, persona="homo_moralis"),
    }
    parts += [(f"{turn.node}: {way}", prompt) for way, prompt in ways.items()]
    return "\n\n".join(
        "\n".join(
            [f"##### {title}", *(f"[{message['role']}]\n{message['content']}" for message in prompt.messages)]
        )
        for title, prompt in parts
    )


@pytest.mark.parametrize("family", EXAMPLES)
@pytest.mark.parametrize("framing", framings())
def test_wording_is_the_golden_one(framing, family):
    assert transcript(framing, family) + "\n" == (GOLDEN / f"{framing}-{family}.txt").read_text(
        encoding="utf-8"
    )


def text(turn, framing, order=0, **more):
    return render(turn, framing, order, **more).messages[-1]["content"]


@pytest.mark.parametrize("framing", framings())
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_rules_come_first_and_are_the_same_at_all_nodes(protocol, framing):
    turns = questions(PROTOCOLS[protocol]).values()
    for order in (0, 1):
        texts = [text(turn, framing, order) for turn in turns]
        parting = next(i for i, letters in enumerate(zip(*texts, strict=False)) if len(set(letters)) > 1)
        shared = texts[0][:parting]
        assert len(shared) > 0.5 * max(map(len, texts))
        numbers = [f"{value:g}" for leaf in PROTOCOLS[protocol].leaves for value in leaf.payoffs]
        assert sorted(re.findall(r"\d+", re.sub(r"Person \d", "", shared))) == sorted(numbers)


@pytest.mark.parametrize("framing", ["neutral", "twin"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_word_of_the_neutral_framings_is_loaded(protocol, framing):
    for turn in questions(PROTOCOLS[protocol]).values():
        for more in ({}, {"belief": True}, {"reasoning": True}, {"format": "json"}):
            prompt = render(turn, framing, **more)
            assert not LOADED.search(" ".join(message["content"] for message in prompt.messages))


def test_personas_do_not_name_the_theory():
    for persona in personas():
        system = render(questions(PROTOCOLS["TG1"])["opening"], persona=persona).messages[0]["content"]
        assert not LOADED.search(system)
        assert "homo" not in system.lower()
        # One framing pays points, another coins or units.
        assert not re.search("point|coin|unit", system)


payoff = st.integers(0, 99)


@given(st.lists(payoff, min_size=4, max_size=4, unique=True), st.sampled_from(framings()))
def test_every_number_comes_from_the_game(values, framing):
    low_to_high = sorted(values)
    game = FAMILIES["sequential_prisoners_dilemma"].game(payoffs=low_to_high[::-1])
    for turn in questions(game).values():
        said = [int(number) for number in re.findall(r"\d+", re.sub(r"Person \d", "", text(turn, framing)))]
        assert sorted(said) == sorted(int(value) for leaf in game.leaves for value in leaf.payoffs)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_orders_permute_labels_and_rows_and_nothing_else(protocol):
    """Row for row, the neutral text of one order is the other's with the labels exchanged."""
    for turn in questions(PROTOCOLS[protocol]).values():
        first, second = (render(turn, "neutral", order) for order in (0, 1))
        assert (first.order, second.order) == ((0, 1), (1, 0))
        assert first.labels == second.labels == ("A", "B")
        exchanged = re.sub(
            r"\b[AB]\b", lambda hit: {"A": "B", "B": "A"}[hit[0]], second.messages[1]["content"]
        )
        rows = [
            sorted(line for line in t.splitlines() if " gets " in line)
            for t in (first.messages[1]["content"], exchanged)
        ]
        assert rows[0] == rows[1]


def test_story_words_belong_to_their_options():
    turn = questions(PROTOCOLS["TG1"])["opening"]
    prompts = [render(turn, "story", order) for order in (0, 1)]
    assert [prompt.words for prompt in prompts] == [
        ("lend the cart", "use the cart alone"),
        ("use the cart alone", "lend the cart"),
    ]
    assert "A: use the cart alone\nB: lend the cart" in prompts[1].messages[1]["content"]


def test_the_hash_follows_the_content():
    turn = questions(PROTOCOLS["TG1"])["opening"]

    def of(*how, **more):
        return render(turn, *how, **more).wording.hash

    assert of("neutral") == of("neutral", 1) == render(questions(PROTOCOLS["UG4"])["opening"]).wording.hash
    kinds = [of(f) for f in framings()] + [
        of("neutral", persona=p) for p in (*personas(), "You are Ann.", "You are Bob.")
    ]
    assert len(set(kinds)) == len(kinds)
    assert all(re.fullmatch(r"[0-9a-f]{12}", kind) for kind in kinds)


def test_history_is_told_in_the_labels_of_this_prompt():
    turn = questions(PROTOCOLS["TG1"])["reply to trust"]
    path = (Step("opening", "trust", "investor"), Step("reply to trust", "defect", "trustee"))
    past = PastRound("investor", path, {"investor": 20, "trustee": 80})
    later = replace(turn, method="direct", past=(past,), round=1, rounds=2)
    assert "Round 1, you were Person 1. Person 1 A, Person 2 B: Person 1 got 20, Person 2 got 80" in text(
        later, "neutral"
    )
    assert "Round 1, you were Person 1. Person 1 B, Person 2 A: Person 1 got 20" in text(later, "neutral", 1)
    assert "\nPerson 1 chose A.\n" in text(later, "neutral")
    assert "\nSuppose Person 1 chose A.\n" in text(turn, "neutral")


def hidden_draw():
    """Nature draws; the first of three people sees it and picks one of three; the second moves unseen; the
    third is only paid."""

    def second(base):
        return {"left": PayoffNode((base, 1.5, 0)), "right": PayoffNode((0, base, 0))}

    def first(base):
        return {
            name: DecisionNode(f"second {base + i}", "second", second(base + i), "blind")
            for i, name in enumerate(("up", "middle", "down"))
        }

    return GameTree(
        "hidden_draw",
        ("first", "second", "third"),
        ChanceNode(
            "weather",
            {
                "sun": (0.25, DecisionNode("in sun", "first", first(10))),
                "rain": (0.75, DecisionNode("in rain", "first", first(20))),
            },
        ),
    )


@pytest.mark.parametrize("framing", framings())
def test_a_game_without_a_wording_of_its_own_is_worded_from_its_tree(framing):
    game = hidden_draw()
    turns = questions(game)
    for turn in turns.values():
        for order in orders(turn):
            prompt = render(turn, framing, order)
            assert prompt.wording.template == f"{framing}/any.j2"
            body = prompt.messages[1]["content"]
            assert "1.5" in body
            assert not re.search("weather|sun|rain|middle|left", body)
    blind, seeing = (text(turns[node], framing) for node in ("blind", "in rain"))
    assert re.search("without being told|sees nothing else|without knowing", blind)
    assert re.search(r"[Dd]raw 1 gave 2|lot 1 2|chance 1 has fallen on 2", seeing.split("\n\n")[-1])
    assert len(render(turns["in sun"], framing).labels) == 3


def test_an_unknown_framing_lists_the_known_ones():
    with pytest.raises(WordingError, match="neutral, story, twin"):
        render(questions(PROTOCOLS["TG1"])["opening"], "poem")


def test_a_game_with_more_options_than_letters_has_numbers_that_name_no_other_option():
    def asked(options):
        many = {str(i): PayoffNode((i,)) for i in range(options)}
        return questions(GameTree("many", ("one",), DecisionNode("pick", "one", many)))["pick"]

    for framing in ("twin", "neutral"):
        prompt = render(asked(30), framing)
        assert prompt.labels == tuple(map(str, range(30, 60)))
    with pytest.raises(WordingError, match="lists 1000 options at most, and there are 1001"):
        render(asked(1001), "twin")


@pytest.mark.parametrize("framing", framings())
def test_a_repeated_game_says_who_meets_whom_again(framing):
    texts = {}
    for roles in ("random", "fixed"):
        env = make_env("trust", rounds=3, roles=roles)
        env.reset(seed=0)
        texts[roles] = render(env.turn(), framing).messages[-1]["content"]
    assert "drawn" in texts["random"]
    assert "drawn" not in texts["fixed"]
    assert all("the same" in text for text in texts.values())


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for some_framing in framings():
        for some_family in EXAMPLES:
            file = GOLDEN / f"{some_framing}-{some_family}.txt"
            file.write_text(transcript(some_framing, some_family) + "\n", encoding="utf-8")
