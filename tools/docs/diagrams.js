// The theme draws diagrams by a global `mermaid`, and would load it from a CDN if there were none. This one has 5 MB,
// so it is loaded, from the site itself, when the first diagram is to be drawn.
{
  const script = new URL("mermaid.min.js", document.currentScript.src);
  let configuration;
  let loaded;

  const load = () =>
    new Promise((resolve, reject) => {
      const element = document.createElement("script");
      element.src = script;
      element.onload = () => {
        window.mermaid.initialize(configuration); // by then the real one
        resolve(window.mermaid);
      };
      element.onerror = reject;
      document.head.append(element);
    });

  window.mermaid = {
    initialize(given) {
      configuration = given;
    },
    async render(...given) {
      loaded ??= load();
      return (await loaded).render(...given);
    },
  };
}
