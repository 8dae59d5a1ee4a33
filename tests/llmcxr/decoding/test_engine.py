"""The engine against the plain forward pass, and that a row does not depend on its neighbours."""

import pytest
import torch

from llmcxr.common.errors import UserError
from llmcxr.decoding import engine
from llmcxr.decoding.settings import GREEDY, Sampling
from llmcxr.prompts.parts import ImageCodes, ImageFeatures, TokenIds, to_token_ids
from tests.llmcxr.model.tiny import tiny_bundle

TEXTS = ["effusion", "No pneumothorax at all.", "Large right pleural effusion with cardiomegaly."]


@pytest.fixture(scope="module")
def bundle():
    return tiny_bundle()


def prompts_of(bundle):
    return [bundle.prompt_tokenizer.prompt("Draw:", text) for text in TEXTS]


def first_logits(model, prompt):
    """Scores of the codes of the first cell by the plain forward pass."""
    ids = [*to_token_ids(prompt, model.vocabulary), model.vocabulary.boi_id]
    return model.image_logits(model.hidden(torch.tensor([ids]))[:, -1], torch.tensor([0]))


@torch.no_grad()
def test_greedy_codes_are_those_of_the_uncached_model(bundle):
    model, prompt = bundle.model, prompts_of(bundle)[0]
    drawn = engine.generate_images(model, [prompt], [0], GREEDY)
    ids, total = [*to_token_ids(prompt, model.vocabulary), model.vocabulary.boi_id], 0.0
    for cell in range(model.vocabulary.num_cells):
        logits = model.image_logits(model.hidden(torch.tensor([ids]))[:, -1], torch.tensor([cell]))
        code = int(logits.argmax())
        assert code == int(drawn.codes[0, cell])
        total += float(logits.log_softmax(-1)[0, code])
        ids.append(model.vocabulary.token_range(cell)[0] + code)
    assert float(drawn.log_probabilities[0]) == pytest.approx(total, abs=1e-3)


def test_guidance_mixes_the_two_logits(bundle):
    model, prompt = bundle.model, prompts_of(bundle)[2]
    null = bundle.prompt_tokenizer.prompt("Draw:", "")
    drawn = engine.generate_images(model, [prompt], [0], GREEDY, guidance=3.0, unconditional=null)
    conditional, without = first_logits(model, prompt), first_logits(model, null)
    assert int(drawn.codes[0, 0]) == int((without + 3 * (conditional - without)).argmax())


def test_a_negative_prompt_is_led_away_from(bundle):
    model, prompt = bundle.model, prompts_of(bundle)[2]
    null = bundle.prompt_tokenizer.prompt("Draw:", "")
    other = bundle.prompt_tokenizer.prompt("Draw:", "Large left pleural effusion with cardiomegaly.")
    drawn = engine.generate_images(model, [prompt] * 2, [0, 0], GREEDY, 2.0, null, 3.0, {1: other})
    own = first_logits(model, prompt)
    guided = 2 * own - first_logits(model, null)
    away = own.log_softmax(-1) - first_logits(model, other).log_softmax(-1)
    assert int(drawn.codes[0, 0]) == int(guided.argmax())
    assert int(drawn.codes[1, 0]) == int((guided + 3 * away).argmax())
    assert not torch.equal(drawn.codes[0], drawn.codes[1])


def test_a_row_does_not_depend_on_its_batch(bundle):
    prompts, sampling = prompts_of(bundle), Sampling(1.0)
    null = bundle.prompt_tokenizer.prompt("Draw:", "")
    together = engine.generate_images(bundle.model, prompts, [7, 8, 9], sampling, 2.0, null).codes
    for row, prompt in enumerate(prompts):
        alone = engine.generate_images(bundle.model, [prompt], [7 + row], sampling, 2.0, null).codes
        assert torch.equal(alone[0], together[row])


def test_seeds_differ(bundle):
    prompt = prompts_of(bundle)[0]
    codes = engine.generate_images(bundle.model, [prompt] * 4, [0, 1, 2, 0], Sampling(1.0)).codes
    assert torch.equal(codes[0], codes[3])
    assert not torch.equal(codes[0], codes[1]) and not torch.equal(codes[1], codes[2])


def test_text_stops_at_its_end_and_scores_as_it_was_written(bundle):
    prompts = prompts_of(bundle)
    end = bundle.prompt_tokenizer.end_ids
    written = engine.generate_text(bundle.model, prompts, [0, 1, 2], Sampling(1.0), end, 40)
    responses = []
    for ids in written.token_ids:
        assert all(word < bundle.model.vocabulary.image_token_offset for word in ids)
        responses.append(TokenIds((*ids, *(end if len(ids) < 40 else ()))))
    scores = engine.score_texts(bundle.model, prompts, responses)
    torch.testing.assert_close(scores, written.log_probabilities, atol=1e-3, rtol=1e-4)


def test_a_text_ends_at_several_end_words(bundle):
    prompt, end = prompts_of(bundle)[0], [300, 301]
    free = engine.generate_text(bundle.model, [prompt], [0], GREEDY, [10**6], 6).token_ids[0]
    end = free[2:4]
    cut = engine.generate_text(bundle.model, [prompt], [0], GREEDY, end, 6).token_ids[0]
    first = next(i for i in range(len(free)) if free[i : i + 2] == end)
    assert cut == free[:first]


def test_decoding_uses_nothing_that_transformers_will_drop(bundle, recwarn):
    engine.generate_text(
        bundle.model, prompts_of(bundle), [0, 1, 2], GREEDY, bundle.prompt_tokenizer.end_ids, 3
    )
    assert [str(warning.message) for warning in recwarn] == []


@torch.no_grad()
def test_images_score_as_they_were_drawn(bundle):
    drawn = engine.generate_images(bundle.model, prompts_of(bundle), [0, 1, 2], Sampling(1.0))
    scores = engine.score_images(bundle.model, prompts_of(bundle), drawn.codes)
    torch.testing.assert_close(scores, drawn.log_probabilities, rtol=1e-3, atol=1e-2)


@torch.no_grad()
def test_an_image_given_as_features_is_read_like_its_codes(bundle):
    model, prompts = bundle.model, bundle.prompt_tokenizer
    codes = torch.arange(model.vocabulary.num_cells).reshape(model.vocabulary.grid).numpy() % 12
    ids = torch.from_numpy(model.vocabulary.to_token_ids(codes))
    images = (ImageCodes(codes), ImageFeatures(model.embed(ids[None])[0]))
    both = [prompts.prompt("Describe this radiograph.", image) for image in (*images, images[0])]
    written = engine.generate_text(model, both, [0, 0, 1], Sampling(1.0), prompts.end_ids, 20)
    assert written.token_ids[0] == written.token_ids[1] != written.token_ids[2]
    no, yes = prompts.response("No."), prompts.response("Large right pleural effusion.")
    scores = engine.score_texts(model, both[:2] * 2, [no, no, yes, yes])
    torch.testing.assert_close(scores[::2], scores[1::2])


WAYS = {
    "draw": lambda model, prompts: engine.generate_images(model, prompts, [0, 1, 2], Sampling(1.0)),
    "write": lambda model, prompts: engine.generate_text(model, prompts, [0, 1, 2], GREEDY, [10**6], 5),
    "score texts": lambda model, prompts: engine.score_texts(model, prompts, [TokenIds((5, 6))] * 3),
    "score images": lambda model, prompts: engine.score_images(
        model, prompts, torch.zeros(3, model.vocabulary.num_cells, dtype=torch.long)
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_that_is_not_finite_is_named(way, value):
    broken = tiny_bundle()
    broken.model.decoder.layers[1].mlp.up_proj.weight.data[3, 2] = value
    with pytest.raises(UserError, match=r"scores of .* not finite.* weight 'decoder.layers.1.mlp.up_proj"):
        WAYS[way](broken.model, prompts_of(broken))


def test_guidance_that_overflows_is_told_from_broken_weights(bundle):
    null = bundle.prompt_tokenizer.prompt("Draw:", "")
    with pytest.raises(UserError, match=r"codes are not finite.*all weights finite"):
        engine.generate_images(bundle.model, prompts_of(bundle), [0, 1, 2], GREEDY, 1e38, null)


def test_a_text_that_has_ended_keeps_its_score(bundle):
    prompts = prompts_of(bundle)
    free = engine.generate_text(bundle.model, prompts[:1], [0], GREEDY, [10**6], 4)
    end = free.token_ids[0][1:2]
    alone = engine.generate_text(bundle.model, prompts[:1], [0], GREEDY, end, 40).log_probabilities
    both = engine.generate_text(bundle.model, prompts, [0, 0, 0], GREEDY, end, 40).log_probabilities
    torch.testing.assert_close(both[:1], alone)
