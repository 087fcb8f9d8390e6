"""The paper's baselines that no user needs, as aggregators of a package of their own.

``mollia_baselines-0.1.0.dist-info`` beside this folder declares them: wherever ``benchmarks`` is on Python's path, as
it is in its scripts, mollia finds them (``--methods snail``). In a project: PYTHONPATH=benchmarks mollia aggregate.
``frozen`` and ``setfit`` are no aggregators: what ``instead.py`` compares mollia with.
"""
