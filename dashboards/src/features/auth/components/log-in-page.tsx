import { Button, PasswordInput, Title } from "@mantine/core";
import { useLocation, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Icon } from "../../../components/icons";
import { useIsLoggedOut, useLogIn } from "../../../lib/auth";
import { ApiProblem } from "../../../lib/problem";
import classes from "./log-in-page.module.css";

/**
 * Log-in by the one-time link that brought the reader here, or with a pasted key. It stands in place of the page that
 * was asked for, whose address stays.
 */
export function LogInPage() {
  const { mutate, error, isPending } = useLogIn();
  const isLoggedOut = useIsLoggedOut();
  const [key, setKey] = useState("");
  const navigate = useNavigate();
  const { pathname, hash } = useLocation();
  const usedToken = useRef("");

  useEffect(() => {
    document.title = "Log in · tutorq";
    const token = new URLSearchParams(hash).get("token");
    // It works once, and strict mode runs effects twice.
    if (!token || token === usedToken.current) return;
    usedToken.current = token;
    // Out of the address first: it is of no use a second time, and should not stay in the history.
    navigate({ to: pathname, hash: "", replace: true });
    mutate({ token });
  }, [hash, pathname, navigate, mutate]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    mutate({ api_key: key.trim() });
  };
  return (
    <main className={classes.page}>
      <form className={classes.card} onSubmit={submit}>
        <div className={classes.brand}>
          <img src="/icon.svg" width={32} height={32} alt="" />
          <Title order={1}>Log in to tutorq</Title>
        </div>
        {isLoggedOut && !error && (
          <p className={classes.note} role="status">
            You are logged out.
          </p>
        )}
        <PasswordInput
          label="API key"
          description="Needs the read or admin role. The local key is in $TUTORQ_HOME/api-key."
          value={key}
          onChange={(event) => setKey(event.currentTarget.value)}
          autoComplete="off"
          error={error ? reason(error) : undefined}
          data-autofocus
          required
          withAsterisk={false}
        />
        <Button type="submit" loading={isPending} leftSection={<Icon name="lock" />}>
          Log in
        </Button>
        <p className={classes.hint}>
          Or run <code>tutorq login-link --role read</code> (or <code>admin</code>) and open the link: it logs
          one browser in, once.
        </p>
      </form>
    </main>
  );
}

function reason(error: Error): string {
  return error instanceof ApiProblem ? (error.status === 401 ? error.detail : error.message) : error.message;
}
