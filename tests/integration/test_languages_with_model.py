"""In every language, the real model uses a name that only another file has where it is told of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from copilot_server.completion.pipeline import Pipeline, open_pipeline
from copilot_server.completion.types import CompletionRequest
from copilot_server.config import Settings
from copilot_server.workspace.types import SnippetSource
from tests.support.workspaces import cursor_at, opened, repository

pytestmark = pytest.mark.model


@dataclass(frozen=True)
class Example:
    """A document with a cursor, and what a suggestion begins with if the model knows the other ``files``."""

    language_id: str
    document: str
    drawn: str
    files: Mapping[str, str]
    expected: str


EXAMPLES = {
    "typescript": Example(
        "typescript",
        "src/pause.ts",
        """\
import { Settings } from './settings';

/** Returns how long to wait before the next attempt. */
export function pause(settings: Settings, attempt: number): number {
  return attempt * settings.‸
}
""",
        {
            "src/settings.ts": """\
/** What the user has set. */
export interface Settings {
  snoozeAfterFailureMs: number;
  bucketPrefix: string;
}
"""
        },
        "snoozeAfterFailureMs",
    ),
    "go": Example(
        "go",
        "cmd/app/main.go",
        """\
package main

import "example.com/app/settings"

// pause returns how long to wait before the next attempt.
func pause(s *settings.Settings, attempt int) float64 {
\treturn float64(attempt) * s.‸
}
""",
        {
            "settings/settings.go": """\
package settings

// Settings is what the user has set.
type Settings struct {
\tSnoozeAfterFailure float64
\tBucketPrefix       string
}
"""
        },
        "SnoozeAfterFailure",
    ),
    "rust": Example(
        "rust",
        "src/main.rs",
        """\
mod settings;
use settings::Settings;

/// Returns how long to wait before the next attempt.
fn pause(settings: &Settings, attempt: u32) -> f64 {
    attempt as f64 * settings.‸
}
""",
        {
            "src/settings.rs": """\
/// What the user has set.
pub struct Settings {
    pub snooze_after_failure_s: f64,
    pub bucket_prefix: String,
}
"""
        },
        "snooze_after_failure_s",
    ),
    "java": Example(
        "java",
        "src/com/app/Pause.java",
        """\
package com.app;

import com.app.config.Settings;

class Pause {
    /** Returns how long to wait before the next attempt. */
    static double pause(Settings settings, int attempt) {
        return attempt * settings.‸
    }
}
""",
        {
            "src/com/app/config/Settings.java": """\
package com.app.config;

/** What the user has set. */
public class Settings {
    public double snoozeAfterFailureSeconds() {
        return 1.0;
    }

    public String bucketPrefix() {
        return "";
    }
}
"""
        },
        "snoozeAfterFailureSeconds()",
    ),
    "cpp": Example(
        "cpp",
        "src/pause.cpp",
        """\
#include "settings.hpp"

// Returns how long to wait before the next attempt.
double pause(const Settings& settings, int attempt) {
    return attempt * settings.‸
}
""",
        {
            "src/settings.hpp": """\
// What the user has set.
struct Settings {
    double snooze_after_failure_s = 1.0;
    std::string bucket_prefix;
};
"""
        },
        "snooze_after_failure_s",
    ),
}


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return open_pipeline(Settings(device="cpu", offline=True))


def suggested(pipeline: Pipeline, path: Path, example: Example, source: SnippetSource | None) -> str:
    cursor = cursor_at(path, example.drawn, example.language_id)
    request = CompletionRequest(cursor, invoked=True, workspace=source)
    candidates = pipeline.complete(request, threading.Event()).candidates
    return candidates[0].text if candidates else ""


@pytest.mark.parametrize("language", EXAMPLES)
def test_a_member_that_another_file_defines_is_suggested_only_with_the_workspace(
    language: str, pipeline: Pipeline, tmp_path: Path
):
    example = EXAMPLES[language]
    folder = repository(tmp_path / "work", example.files)
    path = folder / example.document
    with opened(folder, tmp_path / "cache") as workspace:
        assert suggested(pipeline, path, example, workspace).startswith(example.expected)
        assert example.expected not in suggested(pipeline, path, example, None)
