"""Lessons: their text, their exercises, the quiz and what a class makes of it. No IPython."""

from toolkit.lessons.text import LessonText, read_lesson

__all__ = ["LessonText", "read_lesson"]
