from llmcxr.evaluation.tokenizer.page import tokenizer_blocks
from llmcxr.pages.document import Paragraph, Table

SCORES = {
    "n": 3, "psnr": 31.25, "ssim": 0.9, "ms_ssim": None, "frechet": None, "frechet_features": None,
    "codes_used": 2, "codebook_size": 8, "usage": 0.25, "perplexity": 2.0, "lesion_psnr": 28.0,
    "line_contrast": None, "per_finding": {}, "macro": {},
}  # fmt: skip


def test_scores_are_a_sentence_and_what_is_unknown_a_dash():
    (line,) = tokenizer_blocks(SCORES | {"lesion_psnr": None})
    assert isinstance(line, Paragraph)
    assert line.text == (
        "Tokenizer on 3 images: PSNR 31.25 dB, SSIM 0.900, MS-SSIM -, 2 of 8 codes used (25.0%), perplexity 2"
    )


def test_the_table_has_a_row_a_finding_and_the_columns_that_any_has():
    table, line = tokenizer_blocks(
        SCORES | {"per_finding": {"nodule": {"lesion_psnr": 28.0, "num_lesions": 4}}}
    )
    assert isinstance(table, Table) and "PSNR in lesions 28.00" in line.text
    assert list(table.header) == ["tokenizer", "lesion dB", "lesions"]
    assert table.rows == [["nodule", "28.000", "4"], ["**macro**", "28.000", "-"]]
