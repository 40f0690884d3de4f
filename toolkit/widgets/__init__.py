"""The only room that knows ipywidgets, anywidget and IPython."""
