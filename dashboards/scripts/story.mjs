const SETTLED_MS = 1_500;

const CAPTION = `
  position: fixed; inset: auto 0 0 0; z-index: 10000; height: 64px; padding: 0 28px;
  display: flex; align-items: center; gap: 18px;
  background: #1b2036; color: #fff; font: 600 25px "Inter Variable", sans-serif;
`;
const MARK = "outline: 3px solid #e8590c; outline-offset: -3px;";

/**
 * Frames of a tutor who gets worse, the case, the talk, and the outcome: story-1.png and so on.
 *
 * context: a browser in which a lead is logged in. known: the first case of those to do, as the API has it. It is changed.
 */
export async function tellStory(context, address, known, folder) {
  const words = known.sudden_change?.words.match(/([\d.]+%) → ([\d.]+%)/);
  if (!words) throw new Error("nobody has got suddenly worse in this demo; generate another one");
  const [, before, now] = words;
  const page = await context.newPage();
  const panel = (name) => page.getByRole("region", { name, exact: true });
  let frames = 0;

  /** The page as it is, with a caption, and what it is about in the middle and marked. */
  async function frame(caption, subject, block = "center") {
    frames += 1;
    await subject.waitFor();
    await subject.evaluate(
      (element, [mark, block]) => {
        element.dataset.before = element.style.cssText;
        element.style.cssText += mark;
        element.scrollIntoView({ block });
      },
      [MARK, block],
    );
    await page.evaluate(
      ([style, number, text]) => {
        const bar = document.createElement("div");
        bar.id = "caption";
        bar.style.cssText = style;
        const step = document.createElement("span");
        step.textContent = number;
        step.style.opacity = "0.6";
        bar.append(step, text);
        document.body.append(bar);
      },
      [CAPTION, String(frames), caption],
    );
    await page.waitForTimeout(SETTLED_MS);
    await page.screenshot({ path: `${folder}/story-${frames}.png` });
    await page.locator("#caption").evaluate((bar) => bar.remove());
    await subject.evaluate((element) => {
      element.style.cssText = element.dataset.before;
    });
  }

  const choose = async (form, field, option) => {
    await form.getByRole("combobox", { name: field }).click();
    await page.getByRole("option", { name: option }).click();
  };

  await page.goto(`${address}/tutors/${known.tutor.tutor_id}`);
  await panel("Trend").locator("svg").first().waitFor();
  await frame(`A tutor gets worse: ${before} → ${now} let-downs`, panel("Trend"));
  const concern = page
    .getByRole("listitem")
    .filter({ has: page.getByRole("article") })
    .first();
  const [chance] = (await concern.innerText()).match(/(?:> )?[\d.]+% chance/);
  await frame(`It is flagged: ${chance} above the limit`, concern);

  await page.goto(address);
  await frame(
    "A case opens by itself, first in the list",
    page.locator(`tr:has([data-case="${known.case_id}"])`),
  );

  await page.locator(`[data-case="${known.case_id}"]`).click();
  await frame("The coach prepares: facts, concessions, questions", panel("Prepare"), "start");

  await page.getByRole("button", { name: "Take", exact: true }).click();
  await page.getByRole("button", { name: "Log contact" }).click();
  const contact = page.getByRole("dialog");
  await choose(contact, "Cause, according to the tutor", "Too many sessions");
  await choose(contact, "Agreed", "Fewer sessions");
  await frame("They talk, agree, and set a follow-up", contact.getByLabel("Follow-up on"));

  await contact.getByRole("button", { name: "Log contact" }).click();
  await contact.waitFor({ state: "detached" });
  await frame("The case keeps what was agreed", panel("What happened"));

  await page.goto(`${address}/outcomes`);
  await frame("After 30 days: did it help?", panel("Did it help?"));
  await page.close();
}
