// Runs in Flink's own page: gives a jar to the page's upload field, as its user would, then starts the program and
// cancels the job with the requests that the page itself would send. Says at the end what has come of it.

const pause = seconds => new Promise(resume => setTimeout(resume, 1000 * seconds));

const until = async (what, find) => {
  for (let tries = 0; tries < 150; tries++) {
    const found = await find();
    if (found) return found;
    await pause(0.2);
  }
  throw new Error(`${what} did not come`);
};

const json = async (path, options) => {
  const response = await fetch(path, options);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
};

// The smallest jar that is one: the directory of an archive without files. The program comes from the jar that is there.
const empty = new Uint8Array(22);
empty.set([0x50, 0x4b, 5, 6]);
const files = new DataTransfer();
files.items.add(new File([empty], "by-the-page.jar", { type: "application/java-archive" }));
const field = await until("the upload field", () => document.querySelector("input[type=file]"));
field.files = files.files;
field.dispatchEvent(new Event("change", { bubbles: true }));
await until("the upload", async () => (await json("jars")).files.some(file => file.name === "by-the-page.jar"));

const jar = (await json("jars")).files.find(file => file.name === "programs.jar");
const started = await json(`jars/${jar.id}/run`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ programArgsList: ["long"], parallelism: 1 }),
});
const state = async () => (await json(`jobs/${started.jobid}`)).state;
await until("the job", async () => (await state()) === "RUNNING");
await fetch(`jobs/${started.jobid}/yarn-cancel`);
await until("the end of the job", async () => (await state()) === "CANCELED");

const said = document.createElement("h1");
said.textContent = "uploaded, ran and canceled";
document.body.prepend(said);
