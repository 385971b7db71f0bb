"""The tables of a project's run store.

Spans and events, and the rollouts and attempts of people's own agents, are written as they happen. Everything
else is an index of what run folders, ledgers and procedure logs hold: it can be thrown away and made again.
``origin`` tells which: ``run`` (of a run's folder), ``search`` (of a ledger), ``traced`` (as it happened).
"""

from __future__ import annotations

FORM = 1
"""Raised when the tables change."""

TABLES = """
CREATE TABLE runs(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, algorithm TEXT NOT NULL, status TEXT NOT NULL, model TEXT,
  started TEXT NOT NULL, finished TEXT, steps INTEGER NOT NULL, planned_steps INTEGER NOT NULL,
  seconds REAL NOT NULL, seed INTEGER, error TEXT, path TEXT NOT NULL, manifest TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE metrics(
  run TEXT NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, value REAL, PRIMARY KEY(run, step, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE evaluations(
  run TEXT NOT NULL, step INTEGER NOT NULL, moment TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL,
  value REAL, PRIMARY KEY(run, step, moment, source, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE alarms(run TEXT NOT NULL, step INTEGER NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE TABLE rollouts(
  id TEXT PRIMARY KEY, run TEXT NOT NULL, origin TEXT NOT NULL, step INTEGER, prompt INTEGER, place INTEGER,
  task TEXT NOT NULL, candidate TEXT, procedure TEXT, status TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts(
  rollout TEXT NOT NULL, number INTEGER NOT NULL, trace_id TEXT, status TEXT NOT NULL, started INTEGER,
  ended INTEGER, completion TEXT, tokens INTEGER, finished INTEGER, reward REAL, advantage REAL, kl REAL,
  verdict TEXT, error TEXT, PRIMARY KEY(rollout, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE rewards(
  rollout TEXT NOT NULL, attempt INTEGER NOT NULL, name TEXT NOT NULL, value REAL, label TEXT, reason TEXT,
  PRIMARY KEY(rollout, attempt, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE spans(
  trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT, run TEXT NOT NULL, rollout TEXT NOT NULL,
  attempt INTEGER NOT NULL, sequence INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
  started INTEGER NOT NULL, ended INTEGER NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT;
CREATE INDEX spans_of_runs ON spans(run, started, sequence);
CREATE TABLE events(
  trace_id TEXT NOT NULL, span_id TEXT NOT NULL, sequence INTEGER NOT NULL, name TEXT NOT NULL,
  happened INTEGER NOT NULL, attributes TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_spans ON events(trace_id, span_id);
CREATE TABLE ledger(
  run TEXT NOT NULL, engine TEXT NOT NULL, candidate TEXT NOT NULL, task TEXT NOT NULL,
  replicate INTEGER NOT NULL, score REAL, verdict TEXT NOT NULL, tokens INTEGER NOT NULL,
  seconds REAL NOT NULL, PRIMARY KEY(run, engine, candidate, task, replicate)
) STRICT, WITHOUT ROWID;
CREATE TABLE procedure_runs(
  id TEXT PRIMARY KEY, procedure TEXT NOT NULL, version TEXT NOT NULL, request TEXT NOT NULL,
  mode TEXT NOT NULL, outcome TEXT NOT NULL, started TEXT NOT NULL, ended TEXT NOT NULL,
  held_out INTEGER NOT NULL, origin TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE indexed(
  file TEXT PRIMARY KEY, run TEXT NOT NULL, size INTEGER NOT NULL, changed INTEGER NOT NULL,
  digest TEXT NOT NULL, damaged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""Times of spans, attempts and events are nanoseconds since 1970 (UTC), those of runs ISO 8601.
``attributes`` and ``manifest`` are JSON. ``indexed`` tells how much of which file is in the tables: its first
``size`` bytes, whose sha256 is ``digest``, but for ``damaged`` lines; ``changed`` is when it was written, 0
where it may have been written since. Rollouts of a run's folder are called RUN/STEP/PROMPT/PLACE, where
``place`` counts the answers to one prompt of a step; those of a search RUN/CANDIDATE/TASK/REPLICATE/ENGINE.
"""
