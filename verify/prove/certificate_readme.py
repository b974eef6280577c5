"""What a folder of certificates says to somebody who has never seen one."""

README = """\
Certificates
============

Each proof here is a list of questions to an SMT solver. Nothing of the tool that wrote them is
needed to ask: the files are SMT-LIB 2 (logic QF_BV) for any solver, such as z3, bitwuzla, or
cvc5 --bitblast=eager (which its default is far slower than):

    for f in */*.smt2 *.smt2; do echo "$f: $(z3 "$f")"; done

Every file must be answered `unsat`, those in `premise/` must be answered `sat`. That the files are
the ones that were written:

    sha256sum -c manifest.json.sha256        # and manifest.json has the digest of every other file

`msrproof recheck DIR` does both, with cvc5 and bitwuzla, and also checks that the questions of a
proof fit together as described below. Its code is small and shares nothing with what wrote this.

What is proved
--------------

`manifest.json` names tool, sources (by SHA-256), assumptions, and under `properties` each proof:
its statement, its violations, and under `obligations` the files that prove it. The argument is
induction over the transitions of one vCPU between locations (`system`), at which its state is
described; it starts at `home`, and each transition leads from its `start` to its `end`:

    initiation.smt2       setup makes a state for which the invariant of home holds
    consecution/*.smt2    every transition leads from the invariant of its start to that of its end
    safety/*.smt2         where the invariant holds, no transition or read violates the property
    equal/*.smt2          for properties that compare two runs: what both agree on (`agreements`)
                          holds after setup, and after every transition from each location
    sanity/*.smt2         no path of the code ends in a fault; every state has a successor
    premise/*.smt2        there is a run that the property speaks of (sat: the proof is not empty)

A property holds when all of its files are answered as they should be: any number of transitions
from setup leads to states with the invariant, and from none of those does a violation follow.

How the files are made
----------------------

    |config/..|, |init/..|, |setup/..|   constants of one vCPU: configuration, and its beginning
    |state/CELL|        a cell of hardware or kernel before a transition
    other variables     inputs of one transition, named by phase and what they are
    |NAME'2|            the same in a second run, where the two do not share it

    |config/N|          function: what configurations are possible; |pinned/N|: what the user fixed
    |legal/N|           function: what hardware can hold (of the first state that is an assumption)
    |invariant L/N|     function: the invariant of location L
    |agreement A L/N|   function of two runs' states: what else they agree on at L
    |start/CELL|        the value of a cell after setup
    |after R/CELL|      its value after transition R; cells without it stay as they are
    |assume R/N|        what the inputs of transition R satisfy
    |PROPERTY/N|        a violation of the property
    tN                  a part of such a term that is long
    NAME@RUN            the same in a second run (`runs` in the manifest): the definition of NAME
                        with other variables in it

A name means the same in all files. `|invariant L/N|` is one function in all of them, applied to the
state before a transition as a hypothesis and to the state after it as a conclusion.

The second of two runs does not share the variables that `runs` lists for it; it shares all others.
An agreement says for each location which of those second runs is there, so which state cells are
equal (all that this run shares), and what else `holds`. It is shown in `equal/`, but for the
cells under `lasting`, in which both runs agree at home by the statement of the property: it is
about the first round after which they do not, and safety/ shows that there is none.

What has to be believed
-----------------------

That the terms say what the C code does; that the models of hardware and environment, and the
assumptions printed in the manifest, are right; that the violations are what the property's
statement forbids; and what makes one vCPU's transitions enough: emulated accesses leave what others
can see alone, and what a vCPU changes else is its own. For properties of two vCPUs one after
another, the runs of the second one differ in those cells of hardware that the agreement of the
first one does not have equal at home.
"""
