-- A read model: derived from the events alone; dropped and built again at will.

CREATE TABLE accounts (
    owner       text   NOT NULL,
    granted     bigint NOT NULL,
    regenerated bigint NOT NULL,
    balance     bigint NOT NULL,
    escrow      bigint NOT NULL,
    paid        bigint NOT NULL,
    received    bigint NOT NULL,
    position    bigint NOT NULL,
    CONSTRAINT an_owner_has_one_account PRIMARY KEY (owner),
    CONSTRAINT no_balance_is_negative CHECK (balance >= 0),
    CONSTRAINT no_escrow_is_negative CHECK (escrow >= 0)
);
