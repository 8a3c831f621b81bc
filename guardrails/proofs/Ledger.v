(** The fund's books: cash at venues, positions at prices, open legs, and everything that can happen
    to them between two decisions.

    NAV is cash and positions at marks; what stood at a venue that failed counts no more. Prices are
    at the decision [price], and in the scenario [x] the all-in price of an instrument (its price
    less the funding that a long has paid since the decision) is [price * (1 + x)]. *)
Require Import QArith Qminmax Qabs Lqa List Bool Arith Lia.
Import ListNotations.
Open Scope Q_scope.
From AgentFund Require Import Sums Legs.

Definition scenario := nat -> Q.

(** What a mandate fixes: instruments and venues by number; the stress set, and the lowest and the
    highest all-in price of each instrument in it, around the decision's prices; funding at most
    paid and received, as shares of the decision's price; and the losses of which any one may
    happen, each taking the venues that it takes ([takes loss venue]): a venue itself with its
    margin accounts, or a chain with every venue on it.

    A scenario gives each instrument its own return. What ties returns together (factors, bases, an
    option's price to its underlying's) is in the set. *)
Record mandate := {
  instruments : nat;
  venues : nat;
  venue_of : nat -> nat;
  stress : (nat -> Q) -> scenario -> Prop;
  lowest : (nat -> Q) -> nat -> Q;
  highest : (nat -> Q) -> nat -> Q;
  most_paid : nat -> Q;
  most_received : nat -> Q;
  may_fail : list nat;
  takes : nat -> nat -> bool;
  paid_nonnegative : forall i, 0 <= most_paid i;
  received_nonnegative : forall i, 0 <= most_received i;
  venue_known : forall i, (i < instruments)%nat -> (venue_of i < venues)%nat
}.

(** A limit order: the instrument, the signed quantity, and the worst price it accepts. *)
Record leg := Leg { symbol : nat; quantity : Q; limit : Q }.

(** What a decision is about: prices, positions and cash then, and the legs that may fill. *)
Record book := {
  price : nat -> Q;
  positions : nat -> Q;
  money : nat -> Q;
  chains : list (list leg)
}.

(** What is accepted at a decision: [loss] and [gain] are proved by certificates; [trading] bounds
    fees, slippage and gas until flat; [apart] is the allowance for legs that close unevenly. *)
Record bounds := { loss : Q; gain : Q; trading : Q; apart : Q }.

Inductive mode := Active | Reducing | Exiting | Halted.

(** The books as they stand now. [paid]: funding that a unit held long has paid since the decision.
    [cancelled]: every open order is confirmed dead. [spent], [missed]: trading costs and legging
    so far. *)
Record live := {
  cash : nat -> Q;
  held : nat -> Q;
  mark : nat -> Q;
  paid : nat -> Q;
  fills : list (progress leg);
  cancelled : bool;
  lost : option nat;
  spent : Q;
  missed : Q
}.

Section Books.
  Variable M : mandate.

  (** 1 for a venue that stands, 0 for one that is lost. *)
  Definition stands (gone : option nat) (k : nat) : Q :=
    match gone with None => 1 | Some j => if takes M j k then 0 else 1 end.

  Lemma stands_cases : forall gone k, stands gone k == 0 \/ stands gone k == 1.
  Proof.
    intros [j|] k; simpl; [destruct (takes M j k)|]; [left|right|right]; reflexivity.
  Qed.

  Definition at_venue (gone : option nat) (i : nat) : Q := stands gone (venue_of M i).

  Lemma at_venue_cases : forall gone i, at_venue gone i == 0 \/ at_venue gone i == 1.
  Proof. intros. apply stands_cases. Qed.

  (** Cash and positions at the prices [p], without what the loss [gone] takes. *)
  Definition worth (gone : option nat) (c h p : nat -> Q) : Q :=
    total (venues M) (fun k => stands gone k * c k)
    + total (instruments M) (fun i => at_venue gone i * (h i * p i)).

  Definition nav (l : live) : Q := worth (lost l) (cash l) (held l) (mark l).
  Definition value (b : book) : Q := worth None (money b) (positions b) (price b).

  (** Cash after [amount i] came in for each instrument at its venue. *)
  Definition credit (c amount : nat -> Q) : nat -> Q :=
    fun k => c k + total (instruments M)
      (fun i => if Nat.eqb k (venue_of M i) then amount i else 0).

  Lemma credited : forall gone c amount,
    total (venues M) (fun k => stands gone k * credit c amount k)
    == total (venues M) (fun k => stands gone k * c k)
       + total (instruments M) (fun i => at_venue gone i * amount i).
  Proof.
    intros gone c amount. unfold credit.
    rewrite (total_equal (venues M) _
      (fun k => stands gone k * c k + total (instruments M)
         (fun i => if Nat.eqb k (venue_of M i) then stands gone k * amount i else 0))).
    2:{ intros k _. rewrite Qmult_plus_distr_r. rewrite <- total_scaled.
        apply Qplus_comp; [reflexivity|]. apply total_equal. intros i _.
        destruct (Nat.eqb k (venue_of M i)); lra. }
    rewrite total_plus. apply Qplus_comp; [reflexivity|]. rewrite <- total_swap.
    apply total_equal. intros i Hi.
    rewrite (total_single (venues M) (venue_of M i) (fun k => stands gone k * amount i)).
    - reflexivity.
    - apply venue_known. exact Hi.
  Qed.

  (** Selling [sold i] of each instrument (buying, if negative) at [p i], for the fees [fee k]. *)
  Definition cash_after (c sold p fee : nat -> Q) : nat -> Q :=
    fun k => credit c (fun i => sold i * p i) k - fee k.
  Definition held_after (h sold : nat -> Q) : nat -> Q := fun i => h i - sold i.

  Definition fees (gone : option nat) (fee : nat -> Q) : Q :=
    total (venues M) (fun k => stands gone k * fee k).

  Lemma fees_bounded : forall gone fee, (forall k, 0 <= fee k) ->
    0 <= fees gone fee <= total (venues M) fee.
  Proof.
    intros gone fee H. unfold fees. split.
    - apply total_nonnegative. intros k _. pose proof (H k).
      destruct (stands_cases gone k) as [E|E]; rewrite E; lra.
    - apply total_below. intros k _. pose proof (H k).
      destruct (stands_cases gone k) as [E|E]; rewrite E; lra.
  Qed.

  (** A trade changes what the fund is worth by what it sold above the price it is valued at, and
      by its fees. *)
  Lemma traded_worth : forall gone c h sold p fee q,
    worth gone (cash_after c sold p fee) (held_after h sold) q
    == worth gone c h q
       + total (instruments M) (fun i => at_venue gone i * (sold i * (p i - q i)))
       - fees gone fee.
  Proof.
    intros gone c h sold p fee q. unfold worth, cash_after, held_after, fees.
    rewrite (total_equal (venues M)
      (fun k => stands gone k * (credit c (fun i => sold i * p i) k - fee k))
      (fun k => stands gone k * credit c (fun i => sold i * p i) k - stands gone k * fee k))
      by (intros; lra).
    rewrite total_minus, credited.
    rewrite (total_equal (instruments M) (fun i => at_venue gone i * ((h i - sold i) * q i))
      (fun i => at_venue gone i * (h i * q i) - at_venue gone i * (sold i * q i)))
      by (intros; lra).
    rewrite total_minus.
    rewrite (total_equal (instruments M) (fun i => at_venue gone i * (sold i * (p i - q i)))
      (fun i => at_venue gone i * (sold i * p i) - at_venue gone i * (sold i * q i)))
      by (intros; lra).
    rewrite total_minus. lra.
  Qed.

  (** The all-in price of an instrument in the scenario [x]. *)
  Definition all_in (b : book) (x : scenario) (i : nat) : Q := price b i * (1 + x i).

  (** What the books would be worth if the market stood at [x], funding being what it is so far. *)
  Definition worth_at (gone : option nat) (b : book) (l : live) (x : scenario) : Q :=
    worth gone (cash l) (held l) (fun i => all_in b x i + paid l i).

  (** A leg filled at its limit, after all the funding that a long may have received or paid. *)
  Definition worst_price (b : book) (l : leg) : Q :=
    let p := price b (symbol l) in
    if Qle_bool 0 (quantity l) then limit l + p * most_received M (symbol l)
    else limit l - p * most_paid M (symbol l).
  (** A leg filled at the edge of the set that is good for it. *)
  Definition best_price (b : book) (l : leg) : Q :=
    if Qle_bool 0 (quantity l) then lowest M (price b) (symbol l)
    else highest M (price b) (symbol l).

  Definition loss_effect (gone : option nat) (b : book) (x : scenario) (l : leg) : Q :=
    at_venue gone (symbol l) * (quantity l * (worst_price b l - all_in b x (symbol l))).
  Definition gain_effect (gone : option nat) (b : book) (x : scenario) (l : leg) : Q :=
    at_venue gone (symbol l) * (quantity l * (all_in b x (symbol l) - best_price b l)).

  (** What the positions at the decision make in the scenario [x]. *)
  Definition drift (gone : option nat) (b : book) (x : scenario) : Q :=
    total (instruments M) (fun i => at_venue gone i * (positions b i * (price b i * x i))).
  (** What the loss [gone] would take at the decision. *)
  Definition stake (gone : option nat) (b : book) : Q :=
    value b - worth gone (money b) (positions b) (price b).

  (** The fall and the rise of NAV that one case of the legs allows in the scenario [x]. *)
  Definition case_loss gone b x (c : case leg) : Q :=
    stake gone b - drift gone b x + worst (loss_effect gone b x) c.
  Definition case_gain gone b x (c : case leg) : Q :=
    drift gone b x - stake gone b + worst (gain_effect gone b x) c.

  (** Nothing is lost, or any one of what may be. *)
  Definition failures : list (option nat) := None :: map Some (may_fail M).

  (** Loss and gain bound every case of the legs in every scenario of the stress set, with nothing
      lost and with each loss that may be: what accepted certificates prove. The no-move scenario is
      in the set, and no price is negative. *)
  Definition covered (b : book) (w : bounds) : Prop :=
    ((forall i, (i < instruments M)%nat -> 0 <= price b i) /\ stress M (price b) (fun _ => 0)) /\
    0 <= loss w /\ 0 <= gain w /\ 0 <= trading w /\ 0 <= apart w /\
    forall gone c x, In gone failures -> In c (cases (chains b)) -> stress M (price b) x ->
      case_loss gone b x c <= loss w /\ case_gain gone b x c <= gain w.

  (** What is filled, sold by sold: [share] of the leg [l]. *)
  Definition bought (l : leg) (share : Q) : nat -> Q :=
    fun i => if Nat.eqb i (symbol l) then - (share * quantity l) else 0.

  (** Everything that can happen to the books between two decisions. *)
  Inductive event (m : mode) (b : book) (w : bounds) (l : live) : live -> Prop :=
  (** Marks move to any point of the set, funding is paid and received within its bounds. *)
  | Move : forall x mark' paid', stress M (price b) x ->
      (forall i, (i < instruments M)%nat -> mark' i - paid' i == all_in b x i) ->
      (forall i, (i < instruments M)%nat ->
         - (price b i * most_received M i) <= paid' i <= price b i * most_paid M i) ->
      event m b w l {|
        cash := credit (cash l) (fun i => - (held l i * (paid' i - paid l i)));
        held := held l; mark := mark'; paid := paid'; fills := fills l;
        cancelled := cancelled l; lost := lost l; spent := spent l; missed := missed l |}
  (** An open order fills by some share, in its turn, at a price that its limit accepts and that
      lies in the set once the funding so far is taken off. *)
  | Fills : forall o share fills' p fee,
      cancelled l = false -> fill (fills l) o share fills' -> (symbol o < instruments M)%nat ->
      (0 <= quantity o -> p <= limit o) -> (quantity o <= 0 -> limit o <= p) ->
      lowest M (price b) (symbol o) <= p - paid l (symbol o) <= highest M (price b) (symbol o) ->
      (forall k, 0 <= fee k) -> spent l + total (venues M) fee <= trading w ->
      event m b w l {|
        cash := cash_after (cash l) (bought o share) (fun _ => p) fee;
        held := held_after (held l) (bought o share);
        mark := mark l; paid := paid l; fills := fills'; cancelled := false; lost := lost l;
        spent := spent l + total (venues M) fee; missed := missed l |}
  (** Open orders are cancelled, and the venues have confirmed it. *)
  | Cancelled : event m b w l {|
        cash := cash l; held := held l; mark := mark l; paid := paid l; fills := fills l;
        cancelled := true; lost := lost l; spent := spent l; missed := missed l |}
  (** On the way out, the share [a] of every position is closed at the scenario [s]; each leg may
      close [extra] more, at a price [off] the scenario's, within what the allowance has left. *)
  | Slice : forall a s extra off miss fee,
      m = Reducing \/ m = Exiting -> cancelled l = true -> stress M (price b) s -> 0 <= a <= 1 ->
      (forall i x, (i < instruments M)%nat -> stress M (price b) x ->
         - miss i <= extra i * (price b i * (s i - x i)) + (a * held l i + extra i) * off i
         <= miss i) ->
      missed l + total (instruments M) miss <= apart w ->
      (forall k, 0 <= fee k) -> spent l + total (venues M) fee <= trading w ->
      event m b w l {|
        cash := cash_after (cash l) (fun i => a * held l i + extra i)
                  (fun i => all_in b s i + paid l i + off i) fee;
        held := held_after (held l) (fun i => a * held l i + extra i);
        mark := mark l; paid := paid l; fills := fills l; cancelled := true; lost := lost l;
        spent := spent l + total (venues M) fee;
        missed := missed l + total (instruments M) miss |}
  (** One of the losses that may happen does; what stood there is gone. *)
  | Fail : forall k, lost l = None -> In k (may_fail M) -> event m b w l {|
        cash := cash l; held := held l; mark := mark l; paid := paid l; fills := fills l;
        cancelled := cancelled l; lost := Some k; spent := spent l; missed := missed l |}.

  (** The books at a decision: what is held, without what is lost, and no leg filled yet. *)
  Definition opened (b : book) : live := {|
    cash := money b; held := positions b; mark := price b; paid := fun _ => 0;
    fills := unfilled (chains b); cancelled := false; lost := None; spent := 0; missed := 0 |}.
End Books.
