import { Button, PasswordInput, TextInput, Title } from "@mantine/core";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { Alert } from "../../../components/alert";
import { Icon } from "../../../components/icons";
import { ErrorNotice } from "../../../components/notice";
import { useAskForLink, useIsLoggedOut, useLogIn, useLogInMethods } from "../../../lib/auth";
import { ApiProblem } from "../../../lib/problem";
import { keepAskedFor } from "../asked-for";
import classes from "./log-in-page.module.css";

/** Why somebody came back from the OpenID provider without a session, as the API says it behind the `#`. */
const REFUSED: Record<string, string> = {
  unknown: "Your address is not registered here. Ask an admin to add you.",
  "no-role": "Your organisation assigned you no role here. Ask an admin.",
  "shut-out": "Your access has ended. Ask an admin.",
  failed: "The log-in was not completed. Try again.",
  unavailable: "Your organisation's log-in is not responding. Try again later.",
};

/**
 * Log-in at the organisation, by a link that brought the reader here or that is mailed to them, or with a pasted key.
 * It stands in place of the page that was asked for, whose address stays.
 */
export function LogInPage() {
  const logIn = useLogIn();
  const { mutate, error } = logIn;
  const methods = useLogInMethods().data;
  const isLoggedOut = useIsLoggedOut();
  const [isByKey, chooseKey] = useState(false);
  const navigate = useNavigate();
  const { pathname, hash, href } = useLocation();
  const said = new URLSearchParams(hash);
  const refused = REFUSED[said.get("refused") ?? ""];
  const token = said.get("token");

  useEffect(() => {
    document.title = "Log in · tutorq";
  }, []);

  const openWith = (token: string) =>
    mutate(
      { token },
      {
        onError: (error) => {
          // Of no use any more; after other errors it still is.
          if (error instanceof ApiProblem && error.status === 401)
            navigate({ to: pathname, hash: "", replace: true });
        },
      },
    );

  if (token) {
    const failed = logIn.variables?.token === token ? error : null;
    return (
      <Card>
        {failed && <ErrorNotice text={reason(failed)} />}
        <p className={classes.note}>
          This link logs you in on this browser. Continue only if you requested the link.
        </p>
        {/* On a click only: programs that check the links of mails open them, too, and must not use them up. */}
        <Button onClick={() => openWith(token)} loading={logIn.isPending} autoFocus>
          Log in
        </Button>
      </Card>
    );
  }

  return (
    <Card>
      {isLoggedOut && !error && (
        <p className={classes.note} role="status">
          You are logged out.
        </p>
      )}
      {error && <ErrorNotice text={reason(error)} />}
      {!error && refused && <ErrorNotice text={refused} />}
      {methods?.oidc && (
        <Button
          component="a"
          href="/api/auth/oidc/log-in"
          onClick={() => pathname !== "/login" && keepAskedFor(href)}
        >
          Continue with your organisation
        </Button>
      )}
      {methods?.mail && <LinkForm />}
      {methods && !methods.oidc && !methods.mail && (
        <p className={classes.note}>Ask your admin for a log-in link and open it here.</p>
      )}
      <div className={classes.key}>
        {isByKey ? (
          <KeyForm onKey={(key) => mutate({ api_key: key })} isPending={logIn.isPending} />
        ) : (
          <Button variant="subtle" size="compact-sm" onClick={() => chooseKey(true)}>
            Use an API key
          </Button>
        )}
      </div>
    </Card>
  );
}

function Card({ children }: { children: ReactNode }) {
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <div className={classes.brand}>
          <img src="/icon.svg" width={32} height={32} alt="" />
          <Title order={1}>Log in to tutorq</Title>
        </div>
        {children}
      </div>
    </main>
  );
}

function LinkForm() {
  const { mutate, error, isPending, isSuccess } = useAskForLink();
  const [email, setEmail] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    mutate(email.trim());
  };
  if (isSuccess) {
    return (
      <p className={classes.note} role="status">
        If {email.trim()} is registered here, we have mailed you a log-in link. The link works once, within
        ten minutes.
      </p>
    );
  }
  return (
    <form className={classes.form} onSubmit={submit}>
      <TextInput
        type="email"
        label="Your e-mail address"
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
        autoComplete="email"
        error={error && <Alert text={reason(error)} />}
        errorProps={{ component: "div" }}
        required
        withAsterisk={false}
      />
      <Button type="submit" variant="default" loading={isPending}>
        Email me a log-in link
      </Button>
    </form>
  );
}

function KeyForm({ onKey, isPending }: { onKey: (key: string) => void; isPending: boolean }) {
  const [key, setKey] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onKey(key.trim());
  };
  return (
    <form className={classes.form} onSubmit={submit}>
      <PasswordInput
        label="API key"
        description="Needs the read or admin role."
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
        autoComplete="off"
        autoFocus
        required
        withAsterisk={false}
      />
      <Button type="submit" loading={isPending} leftSection={<Icon name="lock" />}>
        Log in
      </Button>
    </form>
  );
}

function reason(error: Error): string {
  return error instanceof ApiProblem ? (error.status === 401 ? error.detail : error.message) : error.message;
}
