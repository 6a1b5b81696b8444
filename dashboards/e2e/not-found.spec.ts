import { expect, expectAccessible, expectFitsTelephone, test } from "./support";

const NOBODY = "00000000-0000-0000-0000-000000000000";

for (const { what, path, says, button, list } of [
  {
    what: "a tutor",
    path: "/tutors/nobody",
    says: /^There is no tutor with this id/,
    button: "Go to tutors",
    list: "/tutors",
  },
  {
    what: "a student",
    path: `/matching?student=${NOBODY}`,
    says: "There is no student with this id.",
    button: "Go to matching",
    list: "/matching",
  },
  {
    what: "a case",
    path: "/cases/999999999",
    says: "There is no case with this number.",
    button: "Go to today",
    list: "/",
  },
  {
    what: "a message",
    path: `/messages?open=${NOBODY}`,
    says: "There is no mail with this id.",
    button: "Go to messages",
    list: "/messages",
  },
  {
    what: "a week to come",
    path: "/weekly?week=2999-W01",
    says: /^The week begins after/,
    button: "Go to the last week",
    list: "/weekly",
  },
  {
    what: "an address",
    path: "/nowhere/at/all",
    says: "No page has this address",
    button: "Go to today",
    list: "/",
  },
  {
    what: "an address below a list",
    path: "/tutors/nobody/at/all",
    says: "No page has this address",
    button: "Go to tutors",
    list: "/tutors",
  },
]) {
  const tag = what === "an address" ? [] : "@soak";
  test(`${what} that there is not: says so, and leads to the list`, { tag }, async ({ page }) => {
    await page.goto(path);
    await expect(page.getByText(says).first()).toBeVisible();
    await expectAccessible(page);
    await expectFitsTelephone(page);
    await expect(page.getByRole("button", { name: "Try again" })).toHaveCount(0);
    await page.getByRole("link", { name: button }).first().click();
    await expect(page).toHaveURL(list);
    await expect(page.getByText(says)).toHaveCount(0);
  });
}
