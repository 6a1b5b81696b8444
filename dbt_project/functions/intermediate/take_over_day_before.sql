-- Copies what score_history has of the day before the as-of day. A copy, because the history of a day is made from its
-- scores: what the history has of earlier days is input here.
begin
    delete from intermediate.day_before;
    if to_regclass('marts.score_history') is not null then
        insert into intermediate.day_before
        select as_of, tutor_id, risk_status, risk_status_since from marts.score_history
        where as_of = (select as_of - 1 from intermediate.scoring_days where is_as_of);
    end if;
end
