const token = /token=([\w-]+)/.exec(location.hash)?.[1];
if (token) {
  history.replaceState(null, "", location.pathname);
  document.forms[0].token.value = token;
  document.forms[0].submit();
}
