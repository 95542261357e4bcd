-- Who sees what, and who did what. A source remembers how far it was open, so that a mailbox that leaves the
-- configuration does not open itself to everybody.
ALTER TABLE source
    ADD COLUMN privacy text NOT NULL DEFAULT 'shared',
    ADD COLUMN members text[] NOT NULL DEFAULT '{}';

-- The one condition of all statements that show interactions: none of the sources that are `shut` to somebody, or one
-- that this person (or whom this person stands in for) answers for, or one that lies in an open mailbox too. In plpgsql,
-- so that no plan changes by it: the places are looked up for those few rows only that nothing else has decided.
CREATE FUNCTION sees(shut text[], answering uuid[], of_source text, of_responsible uuid, of_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    IF shut IS NULL OR of_source IS NULL OR of_source <> ALL (shut) OR of_responsible = ANY (answering) THEN
        RETURN true;
    END IF;
    RETURN EXISTS (SELECT FROM mail_location l JOIN source s ON s.id = l.source_id
                   WHERE l.interaction_id = of_id AND s.name <> ALL (shut));
END $$;

-- Rows are only added: even we cannot change what was written down.
ALTER TABLE audit
    ADD COLUMN actor_kind text NOT NULL DEFAULT 'program' CHECK (actor_kind IN ('user', 'token', 'program')),
    ADD COLUMN remote text NOT NULL DEFAULT '';      -- the network address a request came from
DROP INDEX audit_by_ref;
CREATE INDEX audit_by_ref ON audit (ref, at, id);
CREATE INDEX audit_by_actor ON audit (actor_id, at, id);
CREATE INDEX audit_by_act ON audit (act, at, id);
CREATE INDEX audit_by_time ON audit (at, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only added', TG_TABLE_NAME;
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
