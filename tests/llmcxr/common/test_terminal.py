from llmcxr.common.terminal import progress, say


def test_messages_and_bars_leave_stdout_to_the_results(capsys):
    say("two were left out")
    with progress("reading", 3) as advance:  # stderr is no terminal here: no bar
        advance(2)
        print("a result")
        advance(1)
    printed = capsys.readouterr()
    assert printed.out == "a result\n"
    assert printed.err == "two were left out\n"
