"""What may go wrong in a browser: a restart, a reload, two notebooks, a part that does not load."""

import numpy as np

NAME = "01_inspect_maps"


def test_a_restart_in_the_middle_leaves_the_picture_and_a_second_run_mends_it(fresh_notebook):
    notebook = fresh_notebook(NAME)
    notebook.open()
    notebook.run_all()
    explorer = notebook.explorer()
    before = explorer.pixels()
    notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    notebook.wait_for_kernel()
    assert explorer.picture.locator("img").is_visible()
    notebook.run_all()
    explorer = notebook.explorer()
    assert np.array_equal(explorer.pixels(), before)
    explorer.after(lambda: explorer.frame.press("ArrowRight"))
    notebook.page.reload()
    notebook.wait_for_kernel()
    assert notebook.errors() == [] and notebook.outside == []


def test_without_the_widget_the_static_picture_is_there(fresh_notebook):
    notebook = fresh_notebook(NAME)
    notebook.page.route("**/labextensions/anywidget/**", lambda route: route.abort())
    notebook.page.route("**/lab/extensions/anywidget/**", lambda route: route.abort())
    notebook.open()
    notebook.run_all()
    twin = notebook.page.locator("[data-course-twin]").first
    twin.scroll_into_view_if_needed()
    assert twin.is_visible() and twin.locator("img").evaluate("(image) => image.naturalWidth") > 500
    assert notebook.page.locator(".course-picture").count() == 0


def test_two_notebooks_at_once_do_not_disturb_each_other(fresh_notebook):
    first, second = fresh_notebook(NAME), fresh_notebook("00_start_here")
    for notebook in (first, second):
        notebook.open()
    for notebook in (first, second):
        notebook.start_all()
    for notebook in (first, second):
        notebook.wait_for_the_end()
        assert notebook.errors() == [] and notebook.complaints == []
    explorer = first.explorer()
    explorer.after(lambda: explorer.frame.press("ArrowRight"))
