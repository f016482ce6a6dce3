"""Tests that read as a list of sentences.

    from sentences import holds, finish

    @holds("a row that was written is read")
    def _():
        assert ...

    finish()

Each sentence is run where it stands, and prints one line; what fails prints why.
"""
import sys
import traceback

failed = 0


def holds(sentence):
    def run(test):
        global failed
        try:
            test()
            print("ok    " + sentence, flush=True)
        except Exception:  # an assertion, or what the driver raises
            failed += 1
            print("FAIL  " + sentence, flush=True)
            traceback.print_exc(file=sys.stdout)

    return run


def equal(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def finish():
    sys.exit(1 if failed else 0)
